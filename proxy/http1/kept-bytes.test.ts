import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { KeptBytes } from './kept-bytes.ts'

test('each kept copy is what it was made of, until the next one, whatever becomes of the source', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 6000 }), { maxLength: 20 }), (messages) => {
      const kept = new KeptBytes()
      const source = Buffer.alloc(8192)
      for (const message of messages) {
        source.set(message)
        const copy = kept.keep(source.subarray(0, message.length))
        source.fill(0)
        expect(Buffer.compare(copy, message)).toBe(0)
        expect(kept.isKept(copy)).toBe(message.length <= 4096)
        const view = kept.viewOf(copy)
        if (message.length > 4096) expect(view).toBeUndefined()
        else expect(message.map((_, i) => view?.getUint8(i) ?? 0)).toEqual(message)
      }
    }),
  )
})
