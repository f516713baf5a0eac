import { type FSWatcher, watch } from 'node:fs'
import { basename, join } from 'node:path'
import { errorText } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { ScannedDirectory } from './scan.ts'

interface Watched {
  directory: ScannedDirectory
  watcher: FSWatcher | undefined
}

/** Only inotify is known to name every entry that changes, in the order in which they do. */
const NAMES_ALL = process.platform === 'linux'

export interface WatchListener {
  /** The system told something, which may be of no concern. */
  countEvent(): void
  /** An entry of a searched directory changed, came or went; undefined when it is not known which. */
  onChange(path: string | undefined): void
}

/** Watches a changing set of directories, each for itself: recursive watching on Linux misses replaced directories. */
export class DirectoryWatchers {
  readonly #watched = new Map<string, Watched>()
  readonly #listener: WatchListener
  readonly #logger: Logger

  constructor(listener: WatchListener, logger: Logger) {
    this.#listener = listener
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

  /** Whether all are watched that should be. */
  get isComplete(): boolean {
    for (const { watcher } of this.#watched.values()) if (watcher === undefined) return false
    return true
  }

  close(): void {
    this.sync(new Map())
  }

  /** Undefined when the system refuses (too many watches, say): then only the periodic scan sees changes there. */
  #start(path: string, watched: Watched): FSWatcher | undefined {
    try {
      const watcher = watch(path, { persistent: false }, (_event, name) => {
        this.#listener.countEvent()
        const { names } = watched.directory
        if (names === undefined || name === null || names.has(name)) this.#listener.onChange(entryOf(path, name, names))
      })
      watcher.on('error', (error) => {
        this.#logger.warning('cannot watch a directory any more', { path, error: error.message })
        watcher.close()
        watched.watcher = undefined
      })
      return watcher
    } catch (thrown) {
      this.#logger.warning('cannot watch a directory; changes show late', { path, error: errorText(thrown) })
      return undefined
    }
  }
}

/**
 * Of a directory that is searched whole, the entry that changed. Hidden names are passed over by the search, but links
 * may lead through them; and a directory announces what happens to itself under its own name.
 */
function entryOf(path: string, name: string | null, names: ReadonlySet<string> | undefined): string | undefined {
  if (!NAMES_ALL || name === null || names !== undefined) return undefined
  return name.startsWith('.') || name === basename(path) ? undefined : join(path, name)
}
