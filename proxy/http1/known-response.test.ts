import { expect, test } from '@jest/globals'
import { randomInt, seededRandom } from '../../lib/random.ts'
import { viewOf } from '../../lib/words.ts'
import { testSeed as seed } from '../../test/support/hpack.ts'
import { choose } from '../../test/support/random-policies.ts'
import { ResponseHead } from '../stream/message.ts'
import { KnownResponse } from './known-response.ts'
import { parseResponseHead } from './response-parser.ts'

const HEADS = 300
/** So many times each; the third time it is known. */
const TIMES = 8

const STATUS_LINES = ['HTTP/1.1 200 OK', 'HTTP/1.1 204 No Content', 'HTTP/1.1 304', 'HTTP/1.0 200 OK', 'HTTP/1.1 100 C']
const FIELDS = [
  'Date: Sun, 06 Nov 1994 08:49:37 GMT',
  'Server: x',
  'Connection: keep-alive',
  'Connection: close',
  'Connection: x-mine',
  'X-Mine: 1',
  'Keep-Alive: timeout=5',
  'Proxy-Connection: close',
  'Upgrade: websocket',
  'Content-Length: 12',
  'Content-Length: 0',
  'Transfer-Encoding: chunked',
  'Content-Type: text/plain',
  `x-long: ${'x'.repeat(300)}`,
]

/** All that a head says. */
function told(head: ResponseHead): object {
  const { bytes, view, base, at, ...rest } = head
  const found = ['date', 'server', 'connection', 'x-mine', 'content-type'].map((name) => head.find(name))
  return {
    ...rest,
    at: [...at.subarray(0, 4 * head.count + 1)],
    fields: [...head.fields()],
    found,
    length: head.textLength,
  }
}

test(`heads that come again say what they would if they were parsed (seed ${seed})`, () => {
  const random = seededRandom(seed)
  let shown = 0
  const draw = () =>
    `${[choose(random, STATUS_LINES), ...Array.from({ length: randomInt(random, 5) }, () => choose(random, FIELDS))].join('\r\n')}\r\n\r\n`
  for (let i = 0; i < HEADS; i++) {
    const heads = [draw(), draw()]
    const known = new KnownResponse()
    const head = new ResponseHead()
    let which = 0
    for (let times = 0; times < 2 * TIMES; times++) {
      if (randomInt(random, 4) === 0) which = 1 - which
      const text = heads[which] as string
      // Elsewhere each time, with what follows, whole or not.
      const before = 'b'.repeat(randomInt(random, 4))
      const isCut = randomInt(random, 10) === 0
      const bytes = Buffer.from(`${before}${isCut ? text.slice(0, -1) : `${text}body`}`)
      const start = before.length
      const end = start + text.length
      // Of the message before.
      head.append('left', 'over')
      const knownEnd = known.show(bytes, viewOf(bytes), start, head)
      const fresh = new ResponseHead()
      if (knownEnd >= 0) {
        shown++
        expect({ seed, text, knownEnd }).toEqual({ seed, text, knownEnd: end })
        expect(parseResponseHead(bytes, start, end - 4, fresh, 'GET')).toBeUndefined()
        expect({ seed, text, head: told(head) }).toEqual({ seed, text, head: told(fresh) })
        expect(head.bytes).toBe(bytes)
        expect(head.base).toBe(start)
      } else if (!isCut && parseResponseHead(bytes, start, end - 4, head, 'GET') === undefined) {
        known.note(viewOf(bytes), start, end, head)
      }
    }
  }
  expect(shown).toBeGreaterThan(HEADS)
})

test('heads that take turns do not drive each other out', () => {
  const known = new KnownResponse()
  const head = new ResponseHead()
  let shown = 0
  for (let i = 0; i < 1000; i++) {
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nx: ${i % 2}\r\n\r\n`)
    if (known.show(bytes, viewOf(bytes), 0, head) >= 0) shown++
    else {
      parseResponseHead(bytes, 0, bytes.length - 4, head, 'GET')
      known.note(viewOf(bytes), 0, bytes.length, head)
    }
  }
  expect(shown).toBeGreaterThan(400)
})

test('while no head comes again few are looked at, and then it is known', () => {
  const known = new KnownResponse()
  const head = new ResponseHead()
  const answer = (text: string) => {
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nx: ${text}\r\n\r\n`)
    if (known.show(bytes, viewOf(bytes), 0, head) >= 0) return true
    parseResponseHead(bytes, 0, bytes.length - 4, head, 'GET')
    known.note(viewOf(bytes), 0, bytes.length, head)
    return false
  }
  for (let i = 0; i < 100; i++) expect(answer(`${i}`)).toBe(false)
  const again = Array.from({ length: 20 }, () => answer('same'))
  expect(again.indexOf(true)).toBeGreaterThan(1)
  expect(again.slice(again.indexOf(true))).not.toContain(false)
})
