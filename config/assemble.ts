import { CODES } from './codes.ts'
import type { Finding } from './finding.ts'
import type { LoadedFile, PlacedObject } from './load.ts'
import { LocatedObject } from './located-object.ts'
import { type ConfigObject, objectKey } from './object.ts'
import { lineAt } from './parse/lines.ts'
import type { ConfigSnapshot } from './store.ts'

/**
 * Makes snapshots of what the files say, each from the one before: an object that did not change stays the same
 * object, one that became invalid or unreadable stays in its last good version, and each keeps its age.
 */
export class Assembler {
  #objects = new Map<string, ConfigObject>()
  #built = new WeakMap<PlacedObject, ConfigObject>()
  /** Those that are in force for what was never valid. */
  readonly #standIns = new WeakSet<ConfigObject>()
  #ages = new Map<string, number>()
  #nextAge = 0
  #snapshot: ConfigSnapshot = Object.freeze({ objects: Object.freeze([]), findings: Object.freeze([]) })

  /** The last snapshot. */
  get current(): ConfigSnapshot {
    return this.#snapshot
  }

  /** `files` in the order in which a later one overrides an earlier one. Returns whether anything changed. */
  update(files: readonly LoadedFile[]): boolean {
    const findings: Finding[] = files.flatMap((file) => file.findings)
    const objects = new Map<string, ConfigObject>()
    for (const [key, candidates] of group(files)) {
      this.#age(key)
      findings.push(...duplicates(candidates))
      const chosen = this.#choose(key, candidates)
      if (chosen === undefined) continue
      objects.set(key, chosen)
      if (this.#standIns.has(chosen)) findings.push(standsClosed(chosen))
    }
    this.#keepUnread(files, objects)
    for (const key of this.#ages.keys()) {
      if (!objects.has(key)) this.#ages.delete(key)
    }
    this.#objects = objects
    const next: ConfigSnapshot = Object.freeze({
      objects: Object.freeze([...objects.values()]),
      findings: Object.freeze(findings),
    })
    if (sameSnapshot(this.#snapshot, next)) return false
    this.#snapshot = next
    return true
  }

  #age(key: string): number {
    let age = this.#ages.get(key)
    if (age === undefined) {
      age = this.#nextAge++
      this.#ages.set(key, age)
    }
    return age
  }

  /** The last definition counts. When it is invalid, what counted before it stays in force. */
  #choose(key: string, candidates: readonly PlacedObject[]): ConfigObject | undefined {
    const valid = candidates.findLast((candidate) => candidate.loaded.valid)
    if (valid === undefined || valid !== candidates.at(-1)) {
      const before = this.#objects.get(key)
      if (before !== undefined && !this.#standIns.has(before)) return before
    }
    if (valid !== undefined) return this.#build(key, valid)
    const refused = candidates.at(-1)
    if (refused?.loaded.standIn === undefined) return undefined
    const standIn = this.#build(key, refused)
    this.#standIns.add(standIn)
    return standIn
  }

  #build(key: string, placed: PlacedObject): ConfigObject {
    const age = this.#age(key)
    const known = this.#built.get(placed)
    if (known !== undefined && known.age === age) return known
    const built = new LocatedObject(placed, age)
    this.#built.set(placed, built)
    return built
  }

  /** Objects that came from a file which cannot be read now, and that nobody defines any more, stay. */
  #keepUnread(files: readonly LoadedFile[], objects: Map<string, ConfigObject>): void {
    const unread = new Set(files.filter((file) => !file.readable).map((file) => file.file))
    if (unread.size === 0) return
    for (const [key, object] of this.#objects) {
      if (!objects.has(key) && unread.has(object.origin.file)) objects.set(key, object)
    }
  }
}

function group(files: readonly LoadedFile[]): Map<string, PlacedObject[]> {
  const groups = new Map<string, PlacedObject[]>()
  for (const file of files) {
    for (const placed of file.objects) {
      const { key } = placed.loaded
      const candidates = groups.get(key)
      if (candidates === undefined) groups.set(key, [placed])
      else candidates.push(placed)
    }
  }
  return groups
}

function duplicates(candidates: readonly PlacedObject[]): Finding[] {
  const last = candidates.at(-1)
  if (last === undefined) return []
  const place = `${last.file}:${lineOf(last)}`
  return candidates.slice(0, -1).map((earlier) => ({
    code: 'LTN0103',
    severity: CODES.LTN0103.severity,
    object: earlier.loaded.ref,
    file: earlier.file,
    line: lineOf(earlier),
    message: `is defined again at ${place}, which wins`,
  }))
}

function standsClosed(object: ConfigObject): Finding {
  const { kind, namespace, name, file, line } = object.origin
  return {
    code: 'LTN0106',
    severity: CODES.LTN0106.severity,
    object: { kind, namespace, name },
    file,
    line,
    message: 'no valid version of it is known, so that until it is valid it lets nobody through',
  }
}

function lineOf(placed: PlacedObject): number {
  return placed.firstLine + lineAt(placed.loaded.lines, []) - 1
}

function sameSnapshot(a: ConfigSnapshot, b: ConfigSnapshot): boolean {
  if (a.objects.length !== b.objects.length || a.findings.length !== b.findings.length) return false
  if (a.objects.some((object, index) => object !== b.objects[index])) return false
  return a.findings.every((finding, index) => sameFinding(finding, b.findings[index]))
}

function sameFinding(a: Finding, b: Finding | undefined): boolean {
  if (b === undefined) return false
  return (
    a.code === b.code &&
    a.file === b.file &&
    a.line === b.line &&
    a.message === b.message &&
    objectKey(a.object) === objectKey(b.object)
  )
}
