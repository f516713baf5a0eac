import { expect, test } from '@jest/globals'
import { type Random, randomInt, seededRandom, systemRandom } from '../../lib/random.ts'
import { llhttpKnowsMethod, llhttpRequests, llhttpResponses } from '../support/http1/llhttp.ts'
import { ourRequests, ourResponses } from '../support/http1/our-readers.ts'
import { cut, mutate, pick, randomRequest, randomResponse } from '../support/http1/random-bytes.ts'
import type { Reading, WireMessage } from '../support/http1/wire-message.ts'

/**
 * What our parsers accept, Node's reads alike: the same messages with the same fields, content and ends. Two readers that
 * differ on one connection are how requests are smuggled; a reader that refuses more is safe.
 *
 * LATEEN_TEST_SEED repeats a run, LATEEN_TEST_COUNT makes it longer.
 */

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const REQUESTS = Number(process.env.LATEEN_TEST_COUNT || 120_000)
const RESPONSES = Math.max(25_000, Math.floor(REQUESTS / 4))
const TAB = 9
const SPACE = 32
const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: s\r\n\r\n'

/** One message of a stream that the two read otherwise. */
interface Difference {
  what: string
  ours: WireMessage
  theirs: WireMessage | undefined
  /** llhttp's reason to refuse the stream; '' when it did not. */
  code: string
  /** That of the request that is answered; '' for requests. */
  method: string
  /** What llhttp reads in its place once every tab of the stream is a space. */
  untabbed(): WireMessage | undefined
}

interface Allowance {
  why: string
  test(difference: Difference): boolean
}

/** What we accept and llhttp reads otherwise, each with the reason why it does no harm. */
const ALLOWED: readonly Allowance[] = [
  {
    why: 'a method that llhttp does not know: the connection manager refuses it, unless it is told to let all pass',
    test: ({ ours, theirs, code }) =>
      theirs === undefined && REFUSES_METHOD.has(code) && !llhttpKnowsMethod(methodOf(ours)),
  },
  {
    why: 'HTTP/1.0 kept alive by a list with tabs: llhttp does not take them for white space, and closes',
    test: ({ what, ours, untabbed }) =>
      what === 'keep-alive' && ours.start.includes('HTTP/1.0') && untabbed()?.keepAlive === true,
  },
  {
    why: 'an interim answer with a length: it has no content (RFC 9112 section 6.3), but llhttp knows only some of them',
    test: ({ what, ours, theirs }) => theirs !== undefined && what !== 'fields' && / 1\d\d$/.test(ours.start),
  },
  {
    why: 'the answer to a HEAD without a length: it ends with its head, but llhttp asks the length before the method',
    test: ({ what, ours, method }) => what === 'keep-alive' && method === 'HEAD' && ours.isComplete,
  },
  {
    why: 'the answer that opens a tunnel: no other follows it, whether the connection is kept or not',
    test: ({ what, ours }) => what === 'keep-alive' && ours.isUpgrade,
  },
  {
    why: 'an answer behind an interim one that says close, or is of HTTP/1.0: it belongs to the same request all the same',
    test: ({ theirs, code, method }) => theirs === undefined && code === 'HPE_CLOSED_CONNECTION' && method !== '',
  },
]

/** The second is what it says to PRI. */
const REFUSES_METHOD = new Set(['HPE_INVALID_METHOD', 'HPE_INVALID_VERSION'])

const methodOf = ({ start }: WireMessage) => start.slice(0, start.indexOf(' '))

interface Tally {
  streams: number
  accepted: number
  /** Streams that llhttp reads further than we do, by our reason. */
  stricter: Map<string, number>
  allowed: Map<string, number>
  findings: string[]
}

const newTally = (): Tally => ({ streams: 0, accepted: 0, stricter: new Map(), allowed: new Map(), findings: [] })

const count = (counts: Map<string, number>, what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)

/** What differs in what we accepted; undefined when nothing does. */
function difference(ours: WireMessage, theirs: WireMessage | undefined, isRefused: boolean): string | undefined {
  if (theirs === undefined) return 'is refused'
  if (ours.start !== theirs.start) return 'start'
  if (ours.fields.join('\0') !== theirs.fields.join('\0')) return 'fields'
  if (ours.keepAlive && !theirs.keepAlive) return 'keep-alive'
  // The rest was refused by us, so that no one acts on it.
  if (!ours.isComplete && isRefused) return undefined
  if (ours.isComplete !== theirs.isComplete) return 'end'
  if (ours.body !== theirs.body) return 'body'
  if (ours.trailers.join('\0') !== theirs.trailers.join('\0')) return 'trailers'
  return undefined
}

/** Both read `bytes`, cut alike; `method` is that of the requests that are answered, '' for requests. */
function compare(bytes: Buffer, random: Random, tally: Tally, method: string): void {
  const readOurs = (pieces: Buffer[]) => (method === '' ? ourRequests(pieces) : ourResponses(pieces, method))
  const readTheirs = (pieces: Buffer[]) => (method === '' ? llhttpRequests(pieces) : llhttpResponses(pieces, method))
  const pieces = cut(random, bytes)
  const [ours, theirs] = [readOurs(pieces), readTheirs(pieces)]
  const code = theirs.refusal
  tally.streams++
  for (const [i, message] of ours.messages.entries()) {
    const isLast = i === ours.messages.length - 1
    const other = theirs.messages[i]
    const what = difference(message, other, isLast && ours.refusal !== '')
    if (what === undefined) {
      tally.accepted++
      continue
    }
    const untabbed = () => readTheirs([Buffer.from(bytes.map((byte) => (byte === TAB ? SPACE : byte)))]).messages[i]
    const found: Difference = { what, ours: message, theirs: other, code, method, untabbed }
    const rule = ALLOWED.find(({ test: isAllowed }) => isAllowed(found))
    if (rule !== undefined) count(tally.allowed, rule.why)
    else {
      const stream = `${method} ${JSON.stringify(bytes.toString('latin1'))}`
      tally.findings.push(
        `${what} (${code}): ${stream}\n ours ${JSON.stringify(message)}\n theirs ${JSON.stringify(other)}`,
      )
    }
    return
  }
  if (ours.refusal !== '' && theirs.messages.length > ours.messages.length) count(tally.stricter, ours.refusal)
}

function report(what: string, tally: Tally): void {
  const sorted = (counts: Map<string, number>) =>
    [...counts].sort(([, a], [, b]) => b - a).map(([reason, n]) => `  ${n} ${reason}\n`)
  process.stdout.write(
    `${tally.streams} streams of ${what}, seed ${seed}: ${tally.accepted} messages read alike\n` +
      ` refused by us only:\n${sorted(tally.stricter).join('')} allowed to differ:\n${sorted(tally.allowed).join('')}`,
  )
  if (tally.findings.length > 0) {
    throw new Error(`${tally.findings.length} findings, seed ${seed}:\n${tally.findings.slice(0, 12).join('\n')}`)
  }
}

function randomStream(random: Random, one: (random: Random) => string): string {
  let text = one(random)
  for (let n = randomInt(random, 3); n > 0; n--) text += one(random)
  for (let n = Math.max(0, randomInt(random, 5) - 2); n > 0; n--) text = mutate(random, text, one(random))
  return text
}

test(`llhttp reads as we do what we accept of ${REQUESTS} streams of requests (seed ${seed})`, () => {
  const random = seededRandom(seed)
  const tally = newTally()
  for (let i = 0; i < REQUESTS; i++) {
    const bytes = Buffer.from(randomStream(random, randomRequest) + SENTINEL, 'latin1')
    compare(bytes, random, tally, '')
  }
  report('requests', tally)
  expect(tally.accepted).toBeGreaterThan(REQUESTS / 3)
}, 120_000)

test(`llhttp reads as we do what we accept of ${RESPONSES} streams of responses (seed ${seed})`, () => {
  const random = seededRandom(seed + 1)
  const tally = newTally()
  for (let i = 0; i < RESPONSES; i++) {
    const method = pick(random, ['GET', 'GET', 'GET', 'POST', 'HEAD', 'CONNECT'])
    const bytes = Buffer.from(randomStream(random, randomResponse), 'latin1')
    compare(bytes, random, tally, method)
  }
  report('responses', tally)
  expect(tally.accepted).toBeGreaterThan(RESPONSES / 3)
}, 60_000)

test(`a stream is read alike however it is cut (seed ${seed})`, () => {
  const random = seededRandom(seed + 2)
  for (let i = 0; i < 400; i++) {
    const text = randomStream(random, randomRequest) + SENTINEL
    const bytes = Buffer.from(text, 'latin1')
    const whole = ourRequests([bytes])
    for (let at = 1; at < bytes.length; at++) {
      expectAlike(ourRequests([bytes.subarray(0, at), bytes.subarray(at)]), whole, text)
    }
    expectAlike(ourRequests([...bytes].map((byte) => Buffer.of(byte))), whole, text)
  }
}, 60_000)

/** The same messages, refused or not at the same place; for which of several reasons may depend on what came first. */
function expectAlike(reading: Reading, whole: Reading, text: string): void {
  const facts = ({ messages, refusal }: Reading) => ({ text, messages, isRefused: refusal !== '' })
  // expect() is slow: it is asked only when there is something to show.
  if (JSON.stringify(facts(reading)) !== JSON.stringify(facts(whole))) expect(facts(reading)).toEqual(facts(whole))
}
