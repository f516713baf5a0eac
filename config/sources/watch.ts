import { type FSWatcher, watch } from 'node:fs'
import { errorText } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { ScannedDirectory } from './scan.ts'

interface Watched {
  directory: ScannedDirectory
  watcher: FSWatcher | undefined
}

/** Watches a changing set of directories, each for itself: recursive watching on Linux misses replaced directories. */
export class DirectoryWatchers {
  readonly #watched = new Map<string, Watched>()
  readonly #onEvent: () => void
  readonly #logger: Logger

  constructor(onEvent: () => void, logger: Logger) {
    this.#onEvent = onEvent
    this.#logger = logger
  }

  /**
   * Watches exactly these, by path. A path whose directory was replaced is watched anew. Returns whether a
   * watch was added, in which case something may have changed unseen before.
   */
  sync(directories: ReadonlyMap<string, ScannedDirectory>): boolean {
    let added = false
    for (const [path, { directory, watcher }] of this.#watched) {
      if (directories.get(path)?.identity === directory.identity) continue
      watcher?.close()
      this.#watched.delete(path)
    }
    for (const [path, directory] of directories) {
      const known = this.#watched.get(path)
      if (known !== undefined) {
        known.directory = directory
        continue
      }
      const watched: Watched = { directory, watcher: undefined }
      this.#watched.set(path, watched)
      watched.watcher = this.#start(path, watched)
      added = true
    }
    return added
  }

  close(): void {
    this.sync(new Map())
  }

  /** Undefined when the system refuses (too many watches, say): then only the periodic scan sees changes there. */
  #start(path: string, watched: Watched): FSWatcher | undefined {
    try {
      const watcher = watch(path, { persistent: false }, (_event, name) => {
        const { names } = watched.directory
        if (names === undefined || name === null || names.has(name)) this.#onEvent()
      })
      watcher.on('error', (error) => {
        this.#logger.warning('cannot watch a directory any more', { path, error: error.message })
        watcher.close()
      })
      return watcher
    } catch (thrown) {
      this.#logger.warning('cannot watch a directory; changes show late', { path, error: errorText(thrown) })
      return undefined
    }
  }
}
