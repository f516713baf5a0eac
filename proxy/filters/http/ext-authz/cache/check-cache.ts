import type { JsonValue } from '@bufbuild/protobuf'
import type { Clock } from '../../../../../lib/clock.ts'
import type { Call } from '../../../../decide/call.ts'
import { countIn, type Decision } from '../../../../decide/decision.ts'
import type { StreamContext } from '../../../../stream/context.ts'
import type { ExtAuthzConfig } from '../config.ts'
import type { CheckResult } from '../result.ts'
import { type AttributeReader, attributeReader } from './attributes.ts'

/** Where a server says for how long its answer holds, and for whom (docs/reference/mixer-answers.md). */
const CHECK_METADATA = 'lateen.mesh/check'

export const MAX_ENTRIES = 10_000
/** Sets of attributes that answers have named. */
export const MAX_SHAPES = 32
const MAX_NAMES = 64
/** Callers write what keys are made of. */
const MAX_KEY_LENGTH = 4096

type Extensions = Readonly<Record<string, string>>
type Kept = Extract<CheckResult, { kind: 'ok' | 'denied' }>

/** Calls that agree in these attributes get the same answer. */
interface Shape {
  readonly id: number
  readonly names: string
  readonly readers: readonly AttributeReader[]
  lastHit: number
}

interface Entry {
  readonly result: Kept
  readonly untilMs: number
  usesLeft: number
  /** When it was put at the end of the line, counted in uses of the cache. */
  placedAt: number
}

/** What an answer says of itself. */
interface Validity {
  readonly durationMs: number
  readonly useCount: number
  readonly names: readonly string[]
}

/**
 * Answers of a server of verdicts that may be given again, of one filter's configuration in one thread: a bounded table in the order of
 * use. An answer is found by the values of the attributes that it says it depends on, whether these were there or not.
 */
export class CheckCache {
  /** Questions that are under way, by the likeness of their calls, with those who wait for the same answer. */
  readonly underWay = new Map<string, Set<() => void>>()
  readonly #clock: Clock
  readonly #config: ExtAuthzConfig
  readonly #entries = new Map<string, Entry>()
  #shapes: Shape[] = []
  #shapeCount = 0
  #uses = 0
  /** What a route tells is the same object for all its calls. */
  readonly #extensionIds = new WeakMap<Extensions, number>()
  #extensionCount = 0

  constructor(clock: Clock, config: ExtAuthzConfig) {
    this.#clock = clock
    this.#config = config
  }

  get size(): number {
    return this.#entries.size
  }

  get shapes(): number {
    return this.#shapes.length
  }

  /** undefined when the server must be asked. What is found counts as one use of it. */
  find(call: Call, decision: Decision, extensions: Extensions): Kept | undefined {
    const shapes = this.#shapes
    if (shapes.length === 0) return undefined
    const told = this.#extensionId(extensions)
    this.#uses++
    for (let i = 0; i < shapes.length; i++) {
      const shape = shapes[i] as Shape
      const key = keyOf(shape, told, call, decision)
      const entry = this.#entries.get(key)
      if (entry === undefined) continue
      if (entry.usesLeft <= 0 || this.#clock.nowMs() >= entry.untilMs) {
        this.#entries.delete(key)
        continue
      }
      entry.usesLeft--
      shape.lastHit = this.#uses
      // Who is used all the time need not be moved each time.
      if (this.#uses - entry.placedAt > MAX_ENTRIES / 4) this.#place(key, entry)
      return entry.result
    }
    return undefined
  }

  /** Keeps what was answered to this call, if it says that it may be kept. */
  keep(result: CheckResult, call: Call, decision: Decision, extensions: Extensions): void {
    if (result.kind !== 'ok' && result.kind !== 'denied') return
    const said = result.metadata?.[CHECK_METADATA]
    if (said === undefined) return
    const validity = readValidity(said)
    const shape = validity && this.#shape(validity.names, extensions)
    if (validity === undefined || shape === undefined) {
      countIn(decision, 'ext_authz.cache_not_kept')
      return
    }
    this.#uses++
    // The call that has asked is the first of those it holds for.
    if (validity.useCount <= 1 || validity.durationMs <= 0) return
    const key = keyOf(shape, this.#extensionId(extensions), call, decision)
    if (key.length > MAX_KEY_LENGTH) {
      countIn(decision, 'ext_authz.cache_not_kept')
      return
    }
    const untilMs = this.#clock.nowMs() + validity.durationMs
    this.#place(key, { result, untilMs, usesLeft: validity.useCount - 1, placedAt: 0 })
    if (this.#entries.size <= MAX_ENTRIES) return
    this.#entries.delete(this.#entries.keys().next().value as string)
    countIn(decision, 'ext_authz.cache_evicted')
  }

  /** What all answers so far depend on, of this call: calls that agree in it are likely to get one answer. '' where nothing is known. */
  likeness(call: Call, decision: Decision, extensions: Extensions): string {
    const told = this.#extensionId(extensions)
    let text = ''
    for (const shape of this.#shapes) text += `${keyOf(shape, told, call, decision)}\n`
    return text
  }

  #place(key: string, entry: Entry): void {
    entry.placedAt = this.#uses
    this.#entries.delete(key)
    this.#entries.set(key, entry)
  }

  #shape(names: readonly string[], extensions: Extensions): Shape | undefined {
    const readers: AttributeReader[] = []
    for (const name of names) {
      const reader = attributeReader(name, this.#config, extensions)
      if (reader === undefined) return undefined
      readers.push(reader)
    }
    const text = JSON.stringify(names)
    const known = this.#shapes.find((shape) => shape.names === text)
    if (known !== undefined) return known
    const shape = { id: this.#shapeCount++, names: text, readers, lastHit: this.#uses }
    if (this.#shapes.length >= MAX_SHAPES) this.#forgetShape()
    this.#shapes.push(shape)
    return shape
  }

  /** Names of entries may be what callers send: the set that was of use the longest ago goes. */
  #forgetShape(): void {
    const oldest = this.#shapes.reduce((a, b) => (b.lastHit < a.lastHit ? b : a))
    this.#shapes = this.#shapes.filter((shape) => shape !== oldest)
    const prefix = `${oldest.id} `
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key)
  }

  #extensionId(extensions: Extensions): number {
    const known = this.#extensionIds.get(extensions)
    if (known !== undefined) return known
    const id = this.#extensionCount++
    this.#extensionIds.set(extensions, id)
    return id
  }
}

/** What a FilterMemory keeps of such a configuration. */
export function newCheckCache({ clock }: StreamContext, config: ExtAuthzConfig): CheckCache {
  return new CheckCache(clock, config)
}

/** Lengths go before the values, so that no value can be taken for two. */
function keyOf({ id, readers }: Shape, told: number, call: Call, decision: Decision): string {
  let key = `${id} ${told}`
  for (let i = 0; i < readers.length; i++) {
    const value = (readers[i] as AttributeReader)(call, decision)
    key += value === undefined ? ' -' : ` ${value.length}:${value}`
  }
  return key
}

/** undefined for what is not said as it should be. */
function readValidity(said: JsonValue): Validity | undefined {
  if (said === null || typeof said !== 'object' || Array.isArray(said)) return undefined
  const { validDurationMs: durationMs, validUseCount: useCount, present = [], absent = [] } = said
  if (typeof durationMs !== 'number' || typeof useCount !== 'number') return undefined
  if (!Array.isArray(present) || !Array.isArray(absent)) return undefined
  const names = [...present, ...absent]
  if (names.length > MAX_NAMES || !names.every((name) => typeof name === 'string')) return undefined
  return { durationMs, useCount, names: (names as string[]).sort() }
}
