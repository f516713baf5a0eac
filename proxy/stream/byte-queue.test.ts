import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ByteQueue } from './byte-queue.ts'

const text = (pieces: readonly Buffer[]) => Buffer.concat(pieces).toString('latin1')

test('bytes come out as they went in, whatever the pieces', () => {
  const step = fc.oneof(
    fc.record({ add: fc.string({ minLength: 1, maxLength: 200 }) }),
    fc.record({ consume: fc.double({ min: 0, max: 1, noNaN: true }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new ByteQueue()
      let expected = ''
      for (const it of steps) {
        if ('add' in it) {
          const bytes = Buffer.from(it.add, 'utf8')
          queue.add(bytes)
          expected += bytes.toString('latin1')
          bytes.fill(0)
        } else {
          const first = queue.first()
          const count = Math.floor(first.length * it.consume)
          expect(first.toString('latin1')).toBe(expected.slice(0, first.length))
          queue.consume(count)
          expected = expected.slice(count)
        }
        expect(queue.length).toBe(expected.length)
        expect(text(queue.pieces())).toBe(expected)
      }
    }),
  )
})

test('a hundred thousand pieces of a byte lie in a few slabs', () => {
  const queue = new ByteQueue()
  for (let i = 0; i < 100_000; i++) queue.add(Buffer.from([i]))
  const pieces = queue.pieces()
  expect(pieces.length).toBeLessThan(25)
  const held = new Set(pieces.map((piece) => piece.buffer))
  expect([...held].reduce((sum, buffer) => sum + buffer.byteLength, 0)).toBeLessThan(300_000)
})

test('a piece alone gets no more room than it needs, and what was taken out stays as it was', () => {
  const queue = new ByteQueue()
  queue.add(Buffer.alloc(5000, 1))
  const first = queue.first()
  expect(first.buffer.byteLength).toBe(5000)
  queue.consume(5000)
  queue.add(Buffer.alloc(5000, 2))
  expect(first.every((byte) => byte === 1)).toBe(true)
})
