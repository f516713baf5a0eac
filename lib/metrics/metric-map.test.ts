import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { MetricMap } from './metric-map.ts'

const NAMES = ['b', 'a', 'c'] as const
/** Two of them say the same. */
const LABELS = [{}, { x: '1' }, { x: '1' }, { x: '2', y: '' }] as const

const name = fc.constantFrom(...NAMES)
const labels = fc.constantFrom(...LABELS)
const step = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), name, labels, value: fc.nat() }),
  fc.record({ kind: fc.constant('make' as const), name, labels, value: fc.nat() }),
  fc.record({ kind: fc.constant('delete' as const), name, labels, value: fc.constant(0) }),
)

test('is a map of names and labels, whose values come by name and then in the order in which they were put', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const map = new MetricMap<number>()
      const model = new Map<string, number>()
      for (const { kind, name, labels, value } of steps) {
        const key = name + JSON.stringify(labels)
        expect(map.get(name, labels)).toBe(model.get(key))
        if (kind === 'delete') {
          map.delete(name, labels)
          model.delete(key)
        } else if (kind === 'set') {
          map.set(name, labels, value)
          model.set(key, value)
        } else {
          expect(map.getOrMake(name, labels, () => value)).toBe(model.get(key) ?? value)
          if (!model.has(key)) model.set(key, value)
        }
      }
      const wanted = [...model].sort(([a], [b]) => a.charCodeAt(0) - b.charCodeAt(0)).map(([, value]) => value)
      expect([...map.values()]).toEqual(wanted)
    }),
  )
})
