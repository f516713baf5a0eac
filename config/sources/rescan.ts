import { type BigIntStats, lstatSync } from 'node:fs'
import { extname } from 'node:path'
import { EXTENSIONS, type Scan, type ScannedFile, scannedFile } from './scan.ts'

/** A scan, and which of its files were looked at. */
export interface Rescan {
  scan: Scan
  looked: ScannedFile[]
}

/**
 * The scan that a look at everything would be, from a look at some paths, when nothing else changed since `before`.
 * Undefined when more must be looked at: a file or directory came or went, or links or hard links let one name's change
 * show under another. What is left is the edit, and the replacement by another file, of files that were there.
 */
export function rescan(before: Scan, changed: Iterable<string>): Rescan | undefined {
  if (!before.isPlain || before.problems.length > 0) return undefined
  const known = new Set(before.files.map((file) => file.path))
  const looked = new Map<string, ScannedFile>()
  for (const path of changed) {
    const stats = look(path)
    if (stats === undefined) return undefined
    if (known.has(path)) {
      if (stats === 'absent' || !stats.isFile() || stats.nlink !== 1n) return undefined
      looked.set(path, scannedFile(path, stats))
    } else if (before.directories.has(path)) return undefined
    else if (stats !== 'absent' && (EXTENSIONS.has(extname(path)) || !stats.isFile())) return undefined
    // Else it is of no concern, as a temporary file beside those that count.
  }
  if (looked.size === 0) return { scan: before, looked: [] }
  const files = before.files.map((file) => looked.get(file.path) ?? file)
  return { scan: { ...before, files }, looked: [...looked.values()] }
}

/** Links are not followed. Undefined when it cannot be told. */
function look(path: string): BigIntStats | 'absent' | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false }) ?? 'absent'
  } catch {
    return undefined
  }
}
