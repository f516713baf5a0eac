import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { testSeed } from '../../../test/support/hpack.ts'
import { DynamicTable, ENTRY_OVERHEAD, ENTRY_STRIDE, LINE_OVERHEAD } from './dynamic-table.ts'

const MOST_BYTES = 1000

/** Writes the entry's bytes as its own number, so that whoever writes over another's is seen. */
function add(table: DynamicTable, nameLength: number, valueLength: number, own: number): void {
  const place = table.add(nameLength, valueLength, own)
  if (place < 0) return
  for (let i = 0; i < nameLength + valueLength + LINE_OVERHEAD; i++) table.view.setUint8(place + i, own)
}

test(`keeps what a list would keep, each entry in one piece of its own (seed ${testSeed})`, () => {
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.record({ name: fc.nat(60), value: fc.nat(120) }) },
    { weight: 2, arbitrary: fc.record({ name: fc.nat(400), value: fc.nat(900) }) },
    { weight: 1, arbitrary: fc.record({ resize: fc.nat(MOST_BYTES) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
      const table = new DynamicTable(MOST_BYTES, MOST_BYTES)
      let entries: { name: number; value: number; own: number }[] = []
      const evict = (most: number) => {
        while (entries.reduce((sum, e) => sum + e.name + e.value + ENTRY_OVERHEAD, 0) > most) entries.pop()
      }
      steps.forEach((wanted, i) => {
        const own = i & 255
        if ('resize' in wanted) {
          table.resize(wanted.resize)
          evict(wanted.resize)
        } else {
          const size = wanted.name + wanted.value + ENTRY_OVERHEAD
          add(table, wanted.name, wanted.value, own)
          evict(Math.max(0, table.maxBytes - size))
          if (size <= table.maxBytes) entries = [{ ...wanted, own }, ...entries]
          else entries = []
        }
        expect(table.count).toBe(entries.length)
        entries.forEach((entry, age) => {
          const at = ((table.head - age) & table.mask) * ENTRY_STRIDE
          const [place, name, value, kept] = [...table.entries.subarray(at, at + ENTRY_STRIDE)] as [
            number,
            number,
            number,
            number,
          ]
          expect([name, value, kept]).toEqual([entry.name, entry.value, entry.own])
          const line = new Uint8Array(table.view.buffer, place, name + value + LINE_OVERHEAD)
          expect(line.every((byte) => byte === entry.own)).toBe(true)
        })
        expect(table.view.byteLength).toBeLessThanOrEqual(2 * MOST_BYTES)
      })
    }),
    { seed: testSeed, numRuns: 60 },
  )
})

test('a table of no bytes keeps nothing', () => {
  const table = new DynamicTable(0, 0)
  expect(table.add(0, 0, 1)).toBe(-1)
  expect(table.count).toBe(0)
})

test('as many of the smallest entries as the size allows', () => {
  const table = new DynamicTable(4096, 4096)
  for (let i = 0; i < 300; i++) add(table, 0, 0, 1)
  expect([table.count, table.size]).toEqual([128, 4096])
})
