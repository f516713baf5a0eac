import type { Asked } from './asked.ts'
import { type IndexKey, type Subject, subjectId, type ValueVisitor, visitValues } from './index-key.ts'
import type { PolicyPlan } from './policy.ts'
import type { Predicate } from './predicate.ts'

/** Fewer policies than this are looked at one after the other. */
const MIN_POLICIES = 8
/** Fewer candidates than this are sorted by insertion. */
const MIN_SORT = 24

/**
 * Finds the policies that may match a call, in their order, without looking at the others. Of each policy one set of keys is
 * indexed of which one must be met; a policy without any is a candidate for every call. Candidates are judged as ever, so
 * that the index never changes what is found.
 */
export class PolicyIndex {
  readonly #always: readonly number[]
  readonly #subjects: readonly SubjectIndex[]
  /** Candidates of the call that is being judged, with repetitions. */
  readonly #found: Candidates

  private constructor(always: readonly number[], subjects: readonly SubjectIndex[], found: Candidates) {
    this.#always = always
    this.#subjects = subjects
    this.#found = found
  }

  /** undefined where looking at all policies is as good. */
  static of(policies: readonly PolicyPlan[]): PolicyIndex | undefined {
    if (policies.length < MIN_POLICIES) return undefined
    const guards = chooseGuards(policies)
    const always = [...policies.keys()].filter((i) => guards[i] === undefined)
    if (always.length === policies.length) return undefined
    const found = new Candidates()
    const subjects = new Map<string, SubjectIndex>()
    for (const [i, keys] of guards.entries()) {
      for (const key of keys ?? []) {
        const id = subjectId(key.subject)
        const subject = subjects.get(id) ?? new SubjectIndex(key.subject, found)
        subjects.set(id, subject)
        subject.add(key, i)
      }
    }
    return new PolicyIndex(always, [...subjects.values()], found)
  }

  /** The candidates, ascending, perhaps with repetitions: `at(0)` to `at(count - 1)`. Good until the next call. */
  candidates(asked: Asked): Candidates {
    const found = this.#found
    found.count = 0
    for (const subject of this.#subjects) visitValues(subject.subject, asked, subject)
    found.takeAll(this.#always)
    found.sort()
    return found
  }
}

class Candidates {
  count = 0
  #numbers = new Int32Array(64)

  at(i: number): number {
    return this.#numbers[i] as number
  }

  takeAll(policies: readonly number[] | undefined): void {
    if (policies === undefined) return
    if (this.count + policies.length > this.#numbers.length) this.#grow(this.count + policies.length)
    for (let i = 0; i < policies.length; i++) this.#numbers[this.count++] = policies[i] as number
  }

  sort(): void {
    const { count } = this
    const numbers = this.#numbers
    if (count >= MIN_SORT) {
      numbers.subarray(0, count).sort()
      return
    }
    for (let i = 1; i < count; i++) {
      const number = numbers[i] as number
      let j = i - 1
      while (j >= 0 && (numbers[j] as number) > number) {
        numbers[j + 1] = numbers[j] as number
        j--
      }
      numbers[j + 1] = number
    }
  }

  #grow(length: number): void {
    const larger = new Int32Array(2 * length)
    larger.set(this.#numbers)
    this.#numbers = larger
  }
}

type ByValue = Map<string | number, number[]>

/** The policies by the values of one subject. */
class SubjectIndex implements ValueVisitor {
  readonly subject: Subject
  readonly #found: Candidates
  readonly #exact: ByValue = new Map()
  readonly #prefixes: ByValue = new Map()
  readonly #suffixes: ByValue = new Map()
  readonly #namespaces: ByValue = new Map()
  /** Lengths of the prefixes and of the suffixes, each once, ascending. */
  #prefixLengths: number[] = []
  #suffixLengths: number[] = []

  constructor(subject: Subject, found: Candidates) {
    this.subject = subject
    this.#found = found
  }

  add({ how, value }: IndexKey, policy: number): void {
    if (how === 'exact') push(this.#exact, value, policy)
    else if (how === 'namespace') push(this.#namespaces, value, policy)
    else if (how === 'prefix') {
      push(this.#prefixes, value, policy)
      this.#prefixLengths = withLength(this.#prefixLengths, value)
    } else {
      push(this.#suffixes, value, policy)
      this.#suffixLengths = withLength(this.#suffixLengths, value)
    }
  }

  number(value: number): void {
    this.#found.takeAll(this.#exact.get(value))
  }

  test(value: string): boolean {
    const found = this.#found
    const { length } = value
    if (this.#exact.size > 0) found.takeAll(this.#exact.get(value))
    for (const size of this.#prefixLengths) {
      if (size > length) break
      found.takeAll(this.#prefixes.get(size === length ? value : value.slice(0, size)))
    }
    for (const size of this.#suffixLengths) {
      if (size > length) break
      found.takeAll(this.#suffixes.get(size === length ? value : value.slice(length - size)))
    }
    if (this.#namespaces.size > 0) this.#testNamespaces(value)
    return false
  }

  #testNamespaces(value: string): void {
    for (let at = value.indexOf(NS); at >= 0; at = value.indexOf(NS, at + 1)) {
      const start = at + NS.length
      const end = value.indexOf('/', start)
      if (end < 0) return
      this.#found.takeAll(this.#namespaces.get(value.slice(start, end)))
    }
  }
}

const NS = '/ns/'

function push(map: ByValue, value: string | number, policy: number): void {
  const list = map.get(value)
  if (list === undefined) map.set(value, [policy])
  else if (list.at(-1) !== policy) list.push(policy)
}

function withLength(lengths: readonly number[], value: string | number): number[] {
  return [...new Set([...lengths, String(value).length])].sort((a, b) => a - b)
}

/** For each policy the keys of which one must be met, so that as few policies as can be share a key. */
function chooseGuards(policies: readonly PolicyPlan[]): (readonly IndexKey[] | undefined)[] {
  const uses = new Map<string, number>()
  for (const { permissions, principals } of policies) {
    const own = new Set<string>()
    collectKeys(permissions, own)
    collectKeys(principals, own)
    for (const id of own) uses.set(id, (uses.get(id) ?? 0) + 1)
  }
  const costOf = (key: IndexKey) => (uses.get(keyId(key)) ?? 1) + lookUpCost(key)
  return policies.map(({ permissions, principals }) => {
    return cheaper(guardOf(permissions, costOf), guardOf(principals, costOf))?.keys
  })
}

/** Among keys that as many policies share: pieces must be cut out for a look-up, and the names of a peer are hashed already. */
function lookUpCost({ how, subject }: IndexKey): number {
  return (how === 'exact' ? 0 : 0.5) + (subject.kind === 'peer' ? 0 : 0.1)
}

interface Guard {
  readonly keys: readonly IndexKey[]
  readonly cost: number
}

/** The cheapest set of keys of which one is met whenever the predicate holds; undefined when there is none. */
function guardOf(predicate: Predicate, costOf: (key: IndexKey) => number): Guard | undefined {
  switch (predicate.kind) {
    case 'leaf':
      return predicate.key && { keys: [predicate.key], cost: costOf(predicate.key) }
    case 'and': {
      const guards = predicate.children.map((child) => guardOf(child, costOf))
      return guards.reduce(cheaper, undefined)
    }
    case 'or': {
      const keys: IndexKey[] = []
      let cost = 0
      for (const child of predicate.children) {
        const guard = guardOf(child, costOf)
        if (guard === undefined) return undefined
        keys.push(...guard.keys)
        cost += guard.cost
      }
      return { keys, cost }
    }
    default:
      return undefined
  }
}

function cheaper(a: Guard | undefined, b: Guard | undefined): Guard | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return b.cost < a.cost ? b : a
}

function collectKeys(predicate: Predicate, ids: Set<string>): void {
  if (predicate.kind === 'leaf') {
    if (predicate.key !== undefined) ids.add(keyId(predicate.key))
  } else if (predicate.kind === 'and' || predicate.kind === 'or') {
    for (const child of predicate.children) collectKeys(child, ids)
  }
}

function keyId({ subject, how, value }: IndexKey): string {
  return `${subjectId(subject)} ${how} ${value}`
}
