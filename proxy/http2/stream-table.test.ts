import { expect, test } from '@jest/globals'
import { randomInt, seededRandom, systemRandom } from '../../lib/random.ts'
import { StreamTable } from './stream-table.ts'

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))

test(`holds what a Map would, whatever comes and goes (seed ${seed})`, () => {
  const random = seededRandom(seed)
  for (const [mostOpen, step] of [
    [10, 2],
    [100, 2],
    // Numbers that all fall on few slots.
    [60, 64],
  ] as const) {
    const table = new StreamTable<{ id: number }>()
    const expected = new Map<number, { id: number }>()
    let id = 1
    for (let i = 0; i < 3_000; i++) {
      const open = [...expected.keys()]
      if (open.length < mostOpen && random.next() < 0.55) {
        const stream = { id }
        id += step
        table.add(stream)
        expected.set(stream.id, stream)
      } else if (open.length > 0) {
        // Mostly the oldest, so that one stays behind now and then.
        const gone = open[random.next() < 0.8 ? 0 : randomInt(random, open.length)] as number
        table.delete(gone)
        expected.delete(gone)
      }
      table.delete(id + 2)
      expect(table.size).toBe(expected.size)
      const asked = open.length === 0 ? 1 : (open[randomInt(random, open.length)] as number)
      expect(table.get(asked)).toBe(expected.get(asked))
      expect(table.get(id)).toBeUndefined()
    }
    expect(new Set(table.values())).toEqual(new Set(expected.values()))
  }
})
