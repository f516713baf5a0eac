import { expect, test } from '@jest/globals'
import { encodeBlock, type Field, LIST_BYTES } from '../../test/support/hpack.ts'
import { ResponseHead } from '../stream/message.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { FieldLines } from './hpack/field-lines.ts'
import { readResponse } from './response-fields.ts'

function isTaken(fields: Field[]): boolean {
  const block = encodeBlock(new HpackEncoder(), fields)
  const lines = new FieldLines()
  expect(new HpackDecoder(4096).decode(block, 0, block.length, lines, LIST_BYTES)).toBe(0)
  return readResponse(lines, new ResponseHead(), false, 'GET')
}

test.each(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])(
  'a response with %s is malformed (RFC 9113 section 8.2.2)',
  (name) => {
    expect(
      isTaken([
        [':status', '200'],
        [name, 'x'],
      ]),
    ).toBe(false)
    expect(
      isTaken([
        [':status', '200'],
        [`${name}-`, 'x'],
      ]),
    ).toBe(true)
  },
)
