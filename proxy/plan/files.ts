import { type BigIntStats, statSync } from 'node:fs'

/** The state of each file when it was read, by its path: see stampOf(). */
export type FileStamps = ReadonlyMap<string, string>

/** What was read from files, and is read again when they change. */
export interface FromFiles<T> {
  readonly stamps: FileStamps
  /** Makes it of what the files hold now. Throws a PlanError when that is wrong. */
  readonly reread: () => T
}

/** undefined when nothing was read. */
export function fromFiles<T>(stamps: FileStamps, reread: () => T): FromFiles<T> | undefined {
  return stamps.size === 0 ? undefined : { stamps, reread }
}

/**
 * Tells two states of a file apart: another file in its place, by a rename or behind a symbolic link (as Kubernetes changes mounted
 * Secrets), and another content of the same one. '' when there is no file to be had.
 */
export function stampOf(file: string): string {
  let stats: BigIntStats | undefined
  try {
    stats = statSync(file, { bigint: true, throwIfNoEntry: false })
  } catch {
    // What is wrong with it is said when it is read.
  }
  return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`
}
