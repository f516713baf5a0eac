import { expect, test } from '@jest/globals'
import { type Random, randomInt, seededRandom } from '../../lib/random.ts'
import { encodeBlock, type Field, LIST_BYTES, testSeed as seed } from '../../test/support/hpack.ts'
import { choose } from '../../test/support/random-policies.ts'
import { type HeaderBlock, MAX_HEADERS } from '../stream/header-block.ts'
import { RequestHead, ResponseHead } from '../stream/message.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { FieldLines } from './hpack/field-lines.ts'
import { RequestReading, ResponseReading } from './readings.ts'
import { readRequest } from './request-fields.ts'
import { readResponse } from './response-fields.ts'

/** Messages that come again are read as those were that came first. */

const MESSAGES = 300
/** So many times each, among others: the third time the lines are kept. */
const TIMES = 6

// Most are well.
const METHODS = ['GET', 'GET', 'POST', 'POST', 'HEAD', 'CONNECT', 'B D']
const PATHS = ['/', '/', '/', '/a?b', '/a?b', '*', '/a#b']
const AUTHORITIES = ['a.example', 'a.example', 'a.example', 'a.example:80', '', 'a b']
const REGULAR: readonly Field[] = [
  ['host', 'a.example'],
  ['host', 'other.example'],
  ['cookie', 'a=1'],
  ['cookie', 'b=2'],
  ['expect', '100-continue'],
  ['content-length', '0'],
  ['content-length', '12'],
  ['te', 'trailers'],
  ['connection', 'close'],
  ['date', 'Sun, 06 Nov 1994 08:49:37 GMT'],
  ['server', 'x'],
  ['user-agent', 'u'],
  ['accept', '*/*'],
  ['x-of-37-characters-in-its-whole-length', 'one'],
]

function regular(random: Random): Field[] {
  return Array.from({ length: randomInt(random, 4) }, () => choose(random, REGULAR))
}

function randomRequest(random: Random): Field[] {
  const fields: Field[] = [
    [':method', choose(random, METHODS)],
    [':scheme', 'http'],
    [':authority', choose(random, AUTHORITIES)],
    [':path', choose(random, PATHS)],
  ]
  if (randomInt(random, 12) === 0) fields.splice(0, 1, [':method', 'CONNECT'], [':protocol', 'websocket'])
  return [...fields.filter(() => randomInt(random, 40) > 0), ...regular(random)]
}

function randomResponse(random: Random): Field[] {
  return [[':status', choose(random, ['200', '204', '304', '503', '100', '2000'])], ...regular(random)]
}

/** All that a head says. */
function told<T extends HeaderBlock>(head: T): object {
  const { bytes, view, at, nameLengths, receivedLength, ...rest } = head
  const names = Array.from({ length: MAX_HEADERS }, (_, i) => (i < head.count ? head.name(i) : ''))
  const found = REGULAR.map(([name]) => head.find(name))
  return { ...rest, base: 0, fields: [...head.fields()], names, found, textLength: head.textLength }
}

/** Each message TIMES times, in any order, by a decoder that remembers and a new one. */
function compare(
  draw: (random: Random) => Field[],
  read: (lines: FieldLines, draw: number) => object,
  kind: typeof RequestReading | typeof ResponseReading,
): void {
  const random = seededRandom(seed)
  let shown = 0
  for (let i = 0; i < MESSAGES; i++) {
    const messages = [draw(random), draw(random)]
    const decoder = new HpackDecoder(4096)
    const lines = new FieldLines()
    for (let times = 0; times < TIMES * 2; times++) {
      const which = randomInt(random, 2)
      // All is in the static table or literal, so that each block stands for itself.
      const block = encodeBlock(new HpackEncoder(0), messages[which] as Field[])
      const asked = randomInt(random, 4)
      decoder.decode(block, 0, block.length, lines, LIST_BYTES)
      if (lines.kept?.reading instanceof kind) shown++
      const fresh = new FieldLines()
      new HpackDecoder(4096).decode(block, 0, block.length, fresh, LIST_BYTES)
      expect({ seed, message: messages[which], ...read(lines, asked) }).toEqual({
        seed,
        message: messages[which],
        ...read(fresh, asked),
      })
    }
  }
  expect(shown).toBeGreaterThan(MESSAGES / 4)
}

test(`requests (seed ${seed})`, () => {
  compare(
    randomRequest,
    (lines, asked) => {
      const head = new RequestHead()
      // Of the message before.
      head.append('left', 'over')
      head.upgrade = 'left over'
      const verdict = readRequest(lines, head, asked % 2 === 0, 'http', false)
      return verdict === 'ok' ? { verdict, head: told(head) } : { verdict }
    },
    RequestReading,
  )
})

test(`responses (seed ${seed})`, () => {
  compare(
    randomResponse,
    (lines, asked) => {
      const head = new ResponseHead()
      head.append('left', 'over')
      head.keepAlive = false
      const isWell = readResponse(lines, head, asked % 2 === 0, asked < 2 ? 'HEAD' : 'GET')
      return isWell ? { isWell, head: told(head) } : { isWell }
    },
    ResponseReading,
  )
})
