import { type BigIntStats, type Dirent, statSync } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { errorText } from '../../lib/errors.ts'

export interface ScannedFile {
  /** As it follows from the path that was asked for, so relative when that is. */
  path: string
  /** Changes whenever the file is written, replaced or pointed elsewhere. */
  signature: string
  sizeBytes: number
  /** Milliseconds since the Unix epoch. */
  modifiedMs: number
}

export interface ScannedDirectory {
  /** Device and inode. */
  identity: string
  /** The only names that matter there; undefined when all do. */
  names: Set<string> | undefined
}

export interface Scan {
  /** In the order in which a later file overrides an earlier one: as asked for, then by name in each directory. */
  files: ScannedFile[]
  /** Directories that changes announce themselves in. */
  directories: Map<string, ScannedDirectory>
  /** Paths that cannot be read. They may be files or directories. */
  problems: { path: string; message: string }[]
  /** Every file has one name, and is reached without links: what happens to it is announced under that name alone. */
  isPlain: boolean
}

/** The link that is replaced when a mounted ConfigMap changes. */
const CONFIG_MAP_LINK = '..data'
/** Other work gets a turn after so many files were looked at. */
const STATS_AT_ONCE = 256
export const EXTENSIONS: ReadonlySet<string> = new Set(['.yaml', '.yml', '.json'])

/**
 * Finds the configuration files under some paths. Directories are searched whole, links followed, hidden names passed
 * over (so the `..data` directories of a mounted ConfigMap are seen only through the links beside them). A path that
 * is a file counts whatever its name.
 */
export async function scanPaths(paths: readonly string[]): Promise<Scan> {
  const scanner = new Scanner()
  for (const path of paths) await scanner.visitRoot(path)
  return scanner.scan
}

class Scanner {
  readonly scan: Scan = { files: [], directories: new Map(), problems: [], isPlain: true }
  /** Directories seen, by device and inode: links may lead in circles. */
  readonly #visited = new Set<string>()

  async visitRoot(path: string): Promise<void> {
    const stats = this.#stat(path, false)
    // A root may come and go: whoever makes it does so in its parent.
    await this.#noteDirectory(dirname(path), basename(path))
    if (stats?.isDirectory()) await this.#visitDirectory(path, stats)
    else if (stats?.isFile()) {
      // It may lie in a directory that is another root, and be known there by another name.
      this.scan.isPlain = false
      this.#addFile(path, stats)
      await this.#noteTarget(path)
    } else if (stats !== undefined) this.scan.problems.push({ path, message: 'is neither a file nor a directory' })
  }

  async #visitDirectory(path: string, stats: BigIntStats): Promise<void> {
    const identity = identityOf(stats)
    if (this.#visited.has(identity)) return
    this.#visited.add(identity)
    this.scan.directories.set(path, { identity, names: undefined })
    let entries: Dirent[]
    try {
      entries = (await readdir(path, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'))
    } catch (thrown) {
      this.scan.problems.push({ path, message: errorText(thrown) })
      return
    }
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const [i, entry] of entries.entries()) {
      if (i % STATS_AT_ONCE === STATS_AT_ONCE - 1) await new Promise((resolve) => setImmediate(resolve))
      const child = join(path, entry.name)
      if (entry.isSymbolicLink()) this.scan.isPlain = false
      const childStats = this.#stat(child, !EXTENSIONS.has(extname(entry.name)))
      if (childStats?.isDirectory()) await this.#visitDirectory(child, childStats)
      else if (childStats?.isFile() && EXTENSIONS.has(extname(child))) {
        this.#addFile(child, childStats)
        if (entry.isSymbolicLink()) await this.#noteTarget(child)
      }
    }
  }

  #addFile(path: string, stats: BigIntStats): void {
    if (stats.nlink !== 1n) this.scan.isPlain = false
    this.scan.files.push(scannedFile(path, stats))
  }

  /** Writes to the target of a link are announced in the target's directory. */
  async #noteTarget(path: string): Promise<void> {
    try {
      const target = await realpath(path)
      await this.#noteDirectory(dirname(target), basename(target))
    } catch {
      // Gone in the meantime: the next scan will say so.
    }
  }

  async #noteDirectory(path: string, name: string): Promise<void> {
    const noted = this.scan.directories.get(path)
    if (noted !== undefined) {
      noted.names?.add(name)
      return
    }
    const stats = this.#stat(path, true)
    if (!stats?.isDirectory()) return
    this.scan.directories.set(path, { identity: identityOf(stats), names: new Set([name, CONFIG_MAP_LINK]) })
  }

  /** Synchronous: a look at a file takes microseconds, and a tenth of what it takes through the thread pool. */
  #stat(path: string, quiet: boolean): BigIntStats | undefined {
    try {
      return statSync(path, { bigint: true })
    } catch (thrown) {
      if (!quiet) this.scan.problems.push({ path, message: errorText(thrown) })
      return undefined
    }
  }
}

export function scannedFile(path: string, stats: BigIntStats): ScannedFile {
  const { size, mtimeMs } = stats
  return { path, signature: signatureFrom(stats), sizeBytes: Number(size), modifiedMs: Number(mtimeMs) }
}

/** The signature that a scan would find now; undefined when the file cannot be looked at. */
export function signatureOf(path: string): string | undefined {
  try {
    return signatureFrom(statSync(path, { bigint: true }))
  } catch {
    return undefined
  }
}

function signatureFrom(stats: BigIntStats): string {
  return `${identityOf(stats)} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`
}

function identityOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`
}
