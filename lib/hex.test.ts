import { expect, test } from '@jest/globals'
import { hexDigits, ofHexDigits } from './hex.ts'

test('all of 16 bits have their digits', () => {
  const view = new DataView(new ArrayBuffer(4))
  const wrong: string[] = []
  for (let bits = 0; bits < 0x1_0000; bits++) {
    view.setUint32(0, hexDigits(bits))
    const text = Buffer.from(view.buffer).toString('latin1')
    if (ofHexDigits(view.getUint32(0)) !== bits) wrong.push(`back: ${text}`)
    if (text !== bits.toString(16).padStart(4, '0')) wrong.push(text)
  }
  expect(wrong).toEqual([])
})
