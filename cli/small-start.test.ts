import { expect, test } from '@jest/globals'
import { giveBackMemory } from './small-start.ts'

test('what nothing refers to is gone afterwards, and no collector is left for others to call', async () => {
  const left = new WeakRef({ kind: 'what reading a configuration left' })
  // A reference keeps its object until the turn of the event loop in which it was made is over.
  await new Promise((resolve) => setImmediate(resolve))
  giveBackMemory()
  expect(left.deref()).toBeUndefined()
  expect('gc' in globalThis).toBe(false)
})
