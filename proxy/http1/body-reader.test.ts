import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { FRAMING, type Framing } from '../stream/message.ts'
import { BodyReader } from './body-reader.ts'

interface Outcome {
  data: string
  trailers: string
  ended: boolean
  broken: boolean
  rest: string
}

/** Feeds `pieces` in turn and reports what came out. */
function read(framing: Framing, length: number, pieces: string[]): Outcome {
  const out: Outcome = { data: '', trailers: '', ended: false, broken: false, rest: '' }
  const sink = {
    onBodyData: (chunk: Buffer) => {
      out.data += chunk.toString('latin1')
    },
    onTrailers: (lines: string) => {
      out.trailers += lines
    },
    onBodyEnd: () => {
      out.ended = true
    },
  }
  const reader = new BodyReader()
  reader.begin(framing, length)
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, 'latin1')
    if (out.ended || out.broken) {
      out.rest += piece
      continue
    }
    const pos = reader.read(bytes, 0, sink)
    if (pos < 0) out.broken = true
    else out.rest += piece.slice(pos)
  }
  return out
}

const CHUNKED = '5\r\nhello\r\nA;ext=1\r\n0123456789\r\n0\r\nX-T: v\r\n\r\nGET'

test('a chunked body, its trailers and what follows it, split at every place', () => {
  for (let at = 0; at <= CHUNKED.length; at++) {
    const out = read(FRAMING.chunked, 0, [CHUNKED.slice(0, at), CHUNKED.slice(at)])
    expect(out).toEqual({ data: 'hello0123456789', trailers: 'X-T: v\r\n', ended: true, broken: false, rest: 'GET' })
  }
})

test('a chunked body in single bytes', () => {
  expect(read(FRAMING.chunked, 0, CHUNKED.split(''))).toMatchObject({
    data: 'hello0123456789',
    ended: true,
    rest: 'GET',
  })
})

test('a body by length, split anywhere', () => {
  for (let at = 0; at <= 7; at++) {
    expect(read(FRAMING.length, 5, ['helloGE'.slice(0, at), 'helloGE'.slice(at)])).toMatchObject({
      data: 'hello',
      ended: true,
      rest: 'GE',
    })
  }
})

test.each([
  ['no size', '\r\nhello'],
  ['a sign', '+5\r\nhello\r\n0\r\n\r\n'],
  ['0x', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a space after the size', '5 \r\nhello\r\n0\r\n\r\n'],
  ['a bare LF after the size', '5\nhello\r\n0\r\n\r\n'],
  ['data longer than the size', '5\r\nhelloX\r\n0\r\n\r\n'],
  ['a size beyond the safe integers', 'FFFFFFFFFFFFF\r\n'],
  ['an endless extension', `5;${'a'.repeat(300)}\r\nhello\r\n0\r\n\r\n`],
  ['a bare CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['endless trailers', `0\r\n${'A: b\r\n'.repeat(2000)}\r\n`],
  ['a trailer with a bad name', '0\r\nA B: c\r\n\r\n'],
  ['a trailer that frames', '0\r\nContent-Length: 3\r\n\r\n'],
  ['a trailer ended by a bare LF', '0\r\nA: b\n\r\n'],
])('refuses %s', (_what, text) => {
  expect(read(FRAMING.chunked, 0, [text]).broken).toBe(true)
})

test('content comes out whole however it is chunked and split', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' })),
      fc.integer({ min: 1, max: 9 }),
      (chunks, step) => {
        const text = `${chunks.map((c) => `${c.length.toString(16)}\r\n${c}\r\n`).join('')}0\r\n\r\n`
        const pieces = text.match(new RegExp(`[^]{1,${step}}`, 'g')) ?? []
        expect(read(FRAMING.chunked, 0, pieces)).toMatchObject({ data: chunks.join(''), ended: true, broken: false })
      },
    ),
  )
})
