import { expect, test } from '@jest/globals'
import { env } from '../../lib/env.ts'
import { type Random, randomInt, seededRandom, systemRandom } from '../../lib/random.ts'
import { References } from '../attributes/references.ts'
import { MapBag, type StringMap, type Value, type ValueType } from '../attributes/value.ts'
import { compileExpression } from './compile.ts'
import { Evaluation } from './evaluation.ts'

/** Random expressions whose types fit, over random bags, against an interpreter that is as plain as can be. */

type Simple = 'STRING' | 'INT64' | 'BOOL' | 'DURATION' | 'STRING_MAP' | 'IP_ADDRESS'

/** An expression as the test has it: how it is written, and what it means. */
interface Made {
  /** As tight as a name, so that it needs no parentheses anywhere. */
  readonly text: string
  meaning(world: World): Value
}

class Absent extends Error {}

/** A bag that notes what is read of it. */
class World {
  readonly values: ReadonlyMap<string, Value>
  readonly read = new Map<string, boolean>()

  constructor(values: ReadonlyMap<string, Value>) {
    this.values = values
  }

  get(name: string): Value {
    const value = this.values.get(name)
    this.#note(name, value !== undefined)
    if (value === undefined) throw new Absent()
    return value
  }

  entry(name: string, key: () => string): string {
    const map = this.values.get(name) as StringMap | undefined
    if (map === undefined) {
      this.#note(name, false)
      throw new Absent()
    }
    const wanted = key()
    const isThere = Object.keys(map).includes(wanted)
    this.#note(`${name}[${wanted}]`, isThere)
    if (!isThere) throw new Absent()
    return map[wanted] as string
  }

  #note(text: string, present: boolean): void {
    if (!this.read.has(text)) this.read.set(text, present)
  }
}

const ATTRIBUTES: Readonly<Record<Simple, readonly string[]>> = {
  STRING: ['s.a', 's.b', 's.c'],
  INT64: ['i.a', 'i.b'],
  BOOL: ['b.a', 'b.b', 'b.c'],
  DURATION: ['d.a'],
  STRING_MAP: ['m.a', 'm.b'],
  IP_ADDRESS: ['p.a'],
}
const types = new Map<string, ValueType>(
  Object.entries(ATTRIBUTES).flatMap(([type, names]) => names.map((name) => [name, type as Simple] as const)),
)
const WORDS = ['', 'a', 'ab', 'abc', 'b', '*', 'a*', '5s', 'x y', 'q"\\z', 'Ä']
const IPS = ['10.0.0.1', '10.0.0.2', '::1']

class Maker {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  one<T>(of: readonly T[]): T {
    return of[randomInt(this.#random, of.length)] as T
  }

  value(type: Simple): Value {
    switch (type) {
      case 'STRING':
        return this.one(WORDS)
      case 'INT64':
        return randomInt(this.#random, 4)
      case 'BOOL':
        return this.one([true, false])
      case 'DURATION':
        return randomInt(this.#random, 3) * 1000
      case 'IP_ADDRESS':
        return this.one(IPS)
      case 'STRING_MAP':
        return Object.fromEntries(WORDS.filter(() => this.#random.next() < 0.5).map((word) => [word, this.one(WORDS)]))
    }
  }

  bag(): Map<string, Value> {
    const values = new Map<string, Value>()
    for (const [name, type] of types) {
      if (this.#random.next() < 0.6) values.set(name, this.value(type as Simple))
    }
    return values
  }

  make(type: Simple, depth: number): Made {
    const roll = randomInt(this.#random, depth <= 0 ? 2 : 8)
    if (roll === 0) return this.#literal(type)
    if (roll === 1) {
      const name = this.one(ATTRIBUTES[type])
      return { text: name, meaning: (world) => world.get(name) }
    }
    if (roll === 2) return this.#orElse(type, depth - 1)
    if (roll === 3) return this.#conditional(type, depth - 1)
    if (type === 'BOOL') return this.#bool(depth - 1)
    if (type === 'STRING') return this.#string(depth - 1)
    if (type === 'INT64') return this.#int(depth - 1)
    return this.#orElse(type, depth - 1)
  }

  #literal(type: Simple): Made {
    if (type === 'STRING_MAP') return { text: 'emptyStringMap()', meaning: () => ({}) }
    if (type === 'IP_ADDRESS') {
      const ip = this.one(IPS)
      return { text: `ip("${ip}")`, meaning: () => ip }
    }
    const value = this.value(type)
    // A text that is a duration would be one, where another text does not stand beside it.
    if (type === 'STRING') {
      const word = value === '5s' ? 'five' : (value as string)
      return { text: JSON.stringify(word), meaning: () => word }
    }
    if (type === 'DURATION') return { text: `"${value}ms"`, meaning: () => value }
    return { text: String(value), meaning: () => value }
  }

  #orElse(type: Simple, depth: number): Made {
    const left = this.make(type, depth)
    const right = this.make(type, depth)
    return {
      text: `(${left.text} | ${right.text})`,
      meaning(world) {
        try {
          return left.meaning(world)
        } catch {
          return right.meaning(world)
        }
      },
    }
  }

  #conditional(type: Simple, depth: number): Made {
    const test = this.make('BOOL', depth)
    const [left, right] = [this.make(type, depth), this.make(type, depth)]
    return {
      text: `conditional(${test.text}, ${left.text}, ${right.text})`,
      meaning: (world) => (test.meaning(world) === true ? left.meaning(world) : right.meaning(world)),
    }
  }

  #bool(depth: number): Made {
    const kind = this.one(['&&', '||', 'equal', 'order', 'match', 'starts', 'ends'] as const)
    if (kind === '&&' || kind === '||') {
      const [left, right] = [this.make('BOOL', depth), this.make('BOOL', depth)]
      return {
        text: `(${left.text} ${kind} ${right.text})`,
        meaning(world) {
          const value = left.meaning(world)
          return value === (kind === '||') ? value : right.meaning(world)
        },
      }
    }
    if (kind === 'equal' || kind === 'order') {
      const type = this.one(
        kind === 'equal'
          ? (['STRING', 'INT64', 'BOOL', 'DURATION', 'IP_ADDRESS'] as const)
          : (['INT64', 'DURATION'] as const),
      )
      const operator = this.one(kind === 'equal' ? ['==', '!='] : ['<', '<=', '>', '>='])
      const [left, right] = [this.make(type, depth), this.make(type, depth)]
      return {
        text: `(${left.text} ${operator} ${right.text})`,
        meaning(world) {
          const [a, b] = [left.meaning(world), right.meaning(world)]
          switch (operator) {
            case '==':
              return a === b
            case '!=':
              return a !== b
            case '<':
              return a < b
            case '<=':
              return !(a > b)
            case '>':
              return a > b
            default:
              return !(a < b)
          }
        },
      }
    }
    const [text, part] = [this.make('STRING', depth), this.make('STRING', depth)]
    return {
      text:
        kind === 'match'
          ? `match(${text.text}, ${part.text})`
          : `(${text.text}).${kind === 'starts' ? 'startsWith' : 'endsWith'}(${part.text})`,
      meaning(world) {
        const [whole, piece] = [text.meaning(world) as string, part.meaning(world) as string]
        const starts = (wanted: string) => whole.substring(0, wanted.length) === wanted
        const ends = (wanted: string) =>
          wanted.length <= whole.length && whole.substring(whole.length - wanted.length) === wanted
        if (kind === 'starts') return starts(piece)
        if (kind === 'ends') return ends(piece)
        if (piece.endsWith('*')) return starts(piece.slice(0, -1))
        return piece.startsWith('*') ? ends(piece.slice(1)) : whole === piece
      },
    }
  }

  #string(depth: number): Made {
    const kind = this.one(['sum', 'entry', 'lower'] as const)
    if (kind === 'sum') {
      const [left, right] = [this.make('STRING', depth), this.make('STRING', depth)]
      return {
        text: `(${left.text} + ${right.text})`,
        meaning: (world) => `${left.meaning(world)}${right.meaning(world)}`,
      }
    }
    if (kind === 'lower') {
      const inner = this.make('STRING', depth)
      return { text: `toLower(${inner.text})`, meaning: (world) => (inner.meaning(world) as string).toLowerCase() }
    }
    const name = this.one(ATTRIBUTES.STRING_MAP)
    const key = this.make('STRING', depth)
    return {
      text: `${name}[${key.text}]`,
      meaning: (world) => world.entry(name, () => key.meaning(world) as string),
    }
  }

  #int(depth: number): Made {
    if (this.one([true, false])) {
      const inner = this.make('STRING', depth)
      return {
        text: `size(${inner.text})`,
        meaning: (world) => new TextEncoder().encode(inner.meaning(world) as string).length,
      }
    }
    const [left, right] = [this.make('INT64', depth), this.make('INT64', depth)]
    return {
      text: `(${left.text} + ${right.text})`,
      meaning: (world) => (left.meaning(world) as number) + (right.meaning(world) as number),
    }
  }
}

const ROUNDS = 5_000

test('compiled expressions mean what an interpreter says, and read what it reads', () => {
  const seed = Number(env('LATEEN_TEST_SEED') || randomInt(systemRandom, 1e9))
  process.stdout.write(`expressions: LATEEN_TEST_SEED=${seed}\n`)
  const maker = new Maker(seededRandom(seed))
  let absent = 0
  for (let round = 0; round < ROUNDS; round++) {
    const type = maker.one(Object.keys(ATTRIBUTES) as Simple[])
    const made = maker.make(type, 4)
    const values = maker.bag()
    const result = compileExpression(made.text, types, type)
    if (!result.ok) throw new Error(`seed ${seed}: ${made.text}: ${result.error.describe()}`)
    const world = new World(values)
    let wanted: Value | undefined
    try {
      wanted = made.meaning(world)
    } catch (thrown) {
      if (!(thrown instanceof Absent)) throw thrown
      absent++
    }
    const references = new References()
    const found = result.expression.compute(new Evaluation(new MapBag(values), references))
    const { present, absent: missing } = references.texts()
    const read = new Map([
      ...present.map((one) => [one, true] as const),
      ...missing.map((one) => [one, false] as const),
    ])
    const told = { text: made.text, bag: Object.fromEntries(values), seed }
    expect({ ...told, value: found, read: [...read].sort() }).toEqual({
      ...told,
      value: wanted,
      read: [...world.read].sort(),
    })
  }
  // Both ends were met often enough to mean something.
  expect(absent).toBeGreaterThan(ROUNDS / 20)
  expect(absent).toBeLessThan(ROUNDS * 0.9)
})
