import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { sep } from 'node:path'
import type { Clock, Timer } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import { type Logger, silentLogger } from '../../lib/log.ts'
import { Assembler } from '../assemble.ts'
import { type LoadedFile, loadFile, MAX_FILE_BYTES, unreadableFile } from '../load.ts'
import type { ConfigSnapshot, ConfigSource } from '../store.ts'
import { Changes } from './changes.ts'
import { Listeners } from './listeners.ts'
import { rescan } from './rescan.ts'
import { type Scan, type ScannedFile, scanPaths, signatureOf } from './scan.ts'
import { DirectoryWatchers } from './watch.ts'

export interface DirectoryOptions {
  clock: Clock
  logger?: Logger
  /** False reads once, and again only on rescan(). Default true. */
  watch?: boolean
  /** Changes are read once nothing more has happened for this long. Default 50 ms. */
  debounceMs?: number
  /** But no later than this after the first of them. Default 1 s. */
  maxDebounceMs?: number
  /** Everything is looked at again this often, whether something was announced or not. Default 10 s. */
  restatMs?: number
}

interface KnownFile {
  loaded: LoadedFile
  /** '' when the file must be read again whatever it looks like. */
  signature: string
  /** When it was first seen empty after it had held objects; undefined when it is not so. */
  emptySinceMs: number | undefined
}

/** A file written this recently may be written again without its times showing it. */
const RACY_MS = 2000
/** Writers truncate before they write: a file that held objects is believed empty only after this long. */
const EMPTY_GRACE_MS = 1000
const READS_AT_ONCE = 16
/** The events of a turn may have been fetched before it began to handle them; those of the next are fetched after. */
const TURNS = 2
/** So many looks must have met changes before one of them is used all the same. */
const MIN_SCANS = 8
/** Small files are read as they are looked at: through the thread pool each costs ten times as much. */
const SMALL_BYTES = 64 * 1024

/** Configuration from files and directories, followed as they change. */
export class DirectorySource implements ConfigSource {
  readonly #paths: readonly string[]
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: Required<Omit<DirectoryOptions, 'clock' | 'logger'>>
  readonly #watchers: DirectoryWatchers
  readonly #changes = new Changes()
  readonly #assembler = new Assembler()
  readonly #listeners = new Listeners()
  #files = new Map<string, KnownFile>()
  #lastScan: Scan | undefined
  #scanning: Promise<void> | undefined
  #scanAgain = false
  #debounceTimer: Timer | undefined
  #restatTimer: Timer | undefined
  /** Of the events that no look has come for yet. */
  #firstEventMs: number | undefined
  /** When the first change was announced that is not used yet. */
  #announcedMs: number | undefined
  /** Files to look at again, announced or not. */
  readonly #doubted = new Set<string>()
  /** Since when files have changed during every scan; undefined when the last scan met none. */
  #changingSinceMs: number | undefined
  /** And how many scans that were. */
  #scansInVain = 0
  #closed = false
  #filesRead = 0
  #wholeScans = 0

  private constructor(paths: readonly string[], options: DirectoryOptions) {
    const {
      clock,
      logger = silentLogger,
      watch = true,
      debounceMs = 50,
      maxDebounceMs = 1000,
      restatMs = 10_000,
    } = options
    this.#paths = [...paths]
    this.#clock = clock
    this.#logger = logger
    this.#options = { watch, debounceMs, maxDebounceMs, restatMs }
    const onChange = (path: string | undefined) => this.#onEvent(path)
    this.#watchers = new DirectoryWatchers({ countEvent: () => this.#changes.countEvent(), onChange }, logger)
  }

  /** Reads the paths, and follows them from then on. A path that does not exist is a finding, and may come later. */
  static async open(paths: readonly string[], options: DirectoryOptions): Promise<DirectorySource> {
    const source = new DirectorySource(paths, options)
    await source.rescan()
    return source
  }

  /** How many times a file was read, for those who watch the cost. */
  get filesRead(): number {
    return this.#filesRead
  }

  /** How many times everything was looked at. */
  get wholeScans(): number {
    return this.#wholeScans
  }

  current(): ConfigSnapshot {
    return this.#assembler.current
  }

  onChange(listener: (snapshot: ConfigSnapshot) => void): () => void {
    return this.#listeners.add(listener)
  }

  close(): void {
    this.#closed = true
    this.#debounceTimer?.cancel()
    this.#restatTimer?.cancel()
    this.#watchers.close()
    this.#listeners.clear()
  }

  /** Looks at everything now; resolved when current() shows what was found. */
  rescan(): Promise<void> {
    this.#changes.addAnything()
    return this.#look()
  }

  /** Looks at what changed. */
  async #look(): Promise<void> {
    this.#scanAgain = true
    this.#scanning ??= this.#scanUntilQuiet().finally(() => {
      this.#scanning = undefined
    })
    await this.#scanning
  }

  /** With nobody to tell, a failure (a listener that throws) is logged, and the next scan tries again. */
  #lookUnasked(): void {
    this.#look().catch((thrown: unknown) => {
      this.#logger.error('reading the configuration failed', { error: errorText(thrown) })
      this.#changes.addAnything()
      this.#armRestat()
    })
  }

  #onEvent(path: string | undefined): void {
    if (this.#closed) return
    if (path === undefined) this.#changes.addAnything()
    else this.#changes.add(path)
    const nowMs = this.#clock.nowMs()
    this.#firstEventMs ??= nowMs
    const latestMs = this.#firstEventMs + this.#options.maxDebounceMs
    this.#schedule(Math.min(this.#options.debounceMs, Math.max(0, latestMs - nowMs)))
  }

  #schedule(delayMs: number): void {
    this.#debounceTimer?.cancel()
    this.#debounceTimer = this.#clock.setTimer(delayMs, () => {
      this.#announcedMs ??= this.#firstEventMs
      this.#firstEventMs = undefined
      this.#lookUnasked()
    })
  }

  async #scanUntilQuiet(): Promise<void> {
    while (this.#scanAgain && !this.#closed) {
      this.#scanAgain = false
      if (!(await this.#scanChanged())) await this.#scanAll()
    }
  }

  async #scanAll(): Promise<void> {
    this.#changes.take()
    this.#doubted.clear()
    this.#wholeScans++
    const scan = await scanPaths(this.#paths)
    const isWatchedAnew = !this.#closed && this.#options.watch && this.#watchers.sync(scan.directories)
    const { files, hasChanged } = await this.#read(scan, scan.files)
    await announcementsCame()
    if (this.#closed) return
    this.#armRestat()
    const isUsed = this.#counts(hasChanged || !this.#changes.isEmpty)
    if (isUsed) this.#use(scan, files)
    // What changed before a new watch began was not announced, so look once more.
    if (!isUsed || isWatchedAnew) this.#lookAgain()
  }

  #lookAgain(): void {
    this.#changes.addAnything()
    this.#scanAgain = true
  }

  /**
   * Looks only at what was announced to have changed. False when that is not enough. Announcements come in the order of
   * the changes: when none is left after the reading, nothing that was read is without a change that came before it.
   */
  async #scanChanged(): Promise<boolean> {
    await announcementsCame()
    const announced = this.#changes.take()
    if (announced === undefined || this.#lastScan === undefined || !this.#watchers.isComplete) return false
    const changed = new Set([...announced, ...this.#doubted])
    const again = rescan(this.#lastScan, changed)
    if (again === undefined) return false
    this.#doubted.clear()
    const { files, hasChanged } = await this.#read(again.scan, again.looked)
    await announcementsCame()
    if (this.#closed) return true
    if (this.#counts(hasChanged || !this.#changes.isEmpty)) {
      this.#use(again.scan, files)
      return true
    }
    // Those that were announced meanwhile wait for more, as always.
    if (this.#changes.isEmpty) this.#scanAgain = true
    this.#changes.addAll(changed)
    return true
  }

  #armRestat(): void {
    this.#restatTimer?.cancel()
    if (this.#closed || !this.#options.watch) return
    this.#restatTimer = this.#clock.setTimer(this.#options.restatMs, () => {
      this.#changes.addAnything()
      this.#lookUnasked()
    })
  }

  /** All files, of which `looked` were looked at and are read if need be, and whether one of those was written since. */
  async #read(
    scan: Scan,
    looked: readonly ScannedFile[],
  ): Promise<{ files: Map<string, KnownFile>; hasChanged: boolean }> {
    const toRead = looked.filter(({ path, signature }) => this.#files.get(path)?.signature !== signature)
    const read = new Map<string, KnownFile>()
    let hasChanged = false
    for (let at = 0; at < toRead.length; at += READS_AT_ONCE) {
      const batch = toRead.slice(at, at + READS_AT_ONCE)
      const known = await Promise.all(batch.map((file) => this.#readFile(file, this.#files.get(file.path))))
      for (const [index, file] of batch.entries()) {
        read.set(file.path, known[index] as KnownFile)
        if (signatureOf(file.path) !== file.signature) hasChanged = true
      }
    }
    const files = new Map<string, KnownFile>()
    for (const { path } of scan.files) files.set(path, (read.get(path) ?? this.#files.get(path)) as KnownFile)
    return { files, hasChanged }
  }

  /**
   * Whether what was read is used. When something was written since, half of it may have been read, or all of it without
   * the edits of other files that came before; but that cannot go on for ever. On a machine that has no time it is not yet long when a
   * few looks have taken so long.
   */
  #counts(hasChanged: boolean): boolean {
    if (hasChanged) {
      const nowMs = this.#clock.nowMs()
      this.#changingSinceMs ??= this.#announcedMs ?? nowMs
      this.#scansInVain++
      const isPatient = this.#scansInVain < MIN_SCANS || nowMs - this.#changingSinceMs < this.#options.maxDebounceMs
      if (isPatient) return false
    }
    this.#changingSinceMs = undefined
    this.#scansInVain = 0
    this.#announcedMs = undefined
    return true
  }

  #use(scan: Scan, files: Map<string, KnownFile>): void {
    this.#files = files
    this.#lastScan = scan
    if (this.#assembler.update(this.#withUnreadable(scan, files))) this.#listeners.call(this.#assembler.current)
  }

  async #readFile(file: ScannedFile, before: KnownFile | undefined): Promise<KnownFile> {
    if (file.sizeBytes > MAX_FILE_BYTES) {
      const message = `has ${file.sizeBytes} bytes, at most ${MAX_FILE_BYTES} are read`
      return known(unreadableFile(file.path, 'LTN0002', message, before?.loaded), file.signature)
    }
    const settled = this.#clock.wallMs() - file.modifiedMs > RACY_MS
    const signature = settled ? file.signature : ''
    try {
      const bytes = file.sizeBytes > SMALL_BYTES ? await readFile(file.path) : readFileSync(file.path)
      this.#filesRead++
      // Asked of what was read: the file may have been truncated since its size was looked at.
      if (bytes.length === 0 && before !== undefined && before.loaded.objects.length > 0) {
        const nowMs = this.#clock.nowMs()
        const emptySinceMs = before.emptySinceMs ?? nowMs
        if (nowMs - emptySinceMs < EMPTY_GRACE_MS) {
          this.#doubted.add(file.path)
          this.#schedule(EMPTY_GRACE_MS)
          return { ...before, signature: '', emptySinceMs }
        }
      }
      const loaded = isUtf8(bytes)
        ? loadFile(file.path, bytes.toString('utf8'), before?.loaded)
        : unreadableFile(file.path, 'LTN0001', 'is not UTF-8 text', before?.loaded)
      return known(loaded, signature)
    } catch (thrown) {
      return known(unreadableFile(file.path, 'LTN0105', errorText(thrown), before?.loaded), signature)
    }
  }

  /**
   * The files in their order, with what was last known of those that cannot be looked at. A directory that cannot be
   * looked at stands for all files that were in it.
   */
  #withUnreadable(scan: Scan, files: Map<string, KnownFile>): LoadedFile[] {
    const loaded = [...files.values()].map((file) => file.loaded)
    for (const { path, message } of scan.problems) {
      loaded.push(unreadableFile(path, 'LTN0105', message))
      for (const object of this.#assembler.current.objects) {
        const { file } = object.origin
        if (file.startsWith(path + sep) && !files.has(file))
          loaded.push({ ...unreadableFile(file, 'LTN0105', ''), findings: [] })
      }
    }
    return loaded
  }
}

/**
 * Resolves when the event loop has asked the system for events at least once since: what was written before this was
 * called has been announced then.
 */
async function announcementsCame(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
}

function known(loaded: LoadedFile, signature: string): KnownFile {
  return { loaded, signature, emptySinceMs: undefined }
}
