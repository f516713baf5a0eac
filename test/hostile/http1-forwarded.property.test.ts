import { expect, test } from '@jest/globals'
import { randomInt, seededRandom, systemRandom } from '../../lib/random.ts'
import { newDecision } from '../../proxy/decide/decision.ts'
import { BodyReader, requestTrailersAreValid } from '../../proxy/http1/body-reader.ts'
import { parseRequestHead } from '../../proxy/http1/request-parser.ts'
import { FRAMING, RequestHead } from '../../proxy/stream/message.ts'
import { OutBuffer } from '../../proxy/stream/out-buffer.ts'
import { finishRequestHead, writeRequestHead } from '../../proxy/stream/request-text.ts'
import { llhttpKnowsMethod, llhttpRequests } from '../support/http1/llhttp.ts'
import { mutate, randomRequest } from '../support/http1/random-bytes.ts'

/** What we pass on of a request is, to the next reader, exactly one request, whatever it was made of. */

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const STREAMS = 30_000

const OWNER = { flush() {} }

/** The bytes that go upstream for the first request in these; undefined when it is refused or not complete. */
function forwarded(bytes: Buffer): { text: string; head: RequestHead; body: string } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  const head = new RequestHead()
  if (end < 0 || parseRequestHead(bytes, 0, end, head) !== undefined) return undefined
  const chunks: Buffer[] = []
  let trailers = ''
  const reader = new BodyReader(requestTrailersAreValid)
  reader.begin(head.framing, head.contentLength)
  const sink = {
    onBodyData: (data: Buffer) => void chunks.push(data),
    onTrailers: (lines: string) => {
      trailers = lines
    },
    onBodyEnd: () => {},
  }
  if (reader.active && (reader.read(bytes, end + 4, sink) < 0 || reader.active)) return undefined
  const body = Buffer.concat(chunks).toString('latin1')
  const decision = { ...newDecision(), path: head.path, authority: head.authority }
  const isChunked = head.framing === FRAMING.chunked
  finishRequestHead(head, decision)
  const out = new OutBuffer()
  out.claim(OWNER)
  writeRequestHead(out, head, { path: head.path, authority: head.authority, attemptCount: 0, preface: undefined })
  const start = out.take().toString('latin1')
  if (!isChunked) return { text: start + body, head, body }
  const pieces = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk.toString('latin1')}\r\n`)
  return { text: `${start}${pieces.join('')}0\r\n${trailers}\r\n`, head, body }
}

test(`one request becomes one request (${STREAMS} streams, seed ${seed})`, () => {
  const random = seededRandom(seed)
  let passed = 0
  for (let i = 0; i < STREAMS; i++) {
    let text = randomRequest(random) + randomRequest(random)
    if (randomInt(random, 2) === 0) text = mutate(random, text, randomRequest(random))
    const sent = forwarded(Buffer.from(text, 'latin1'))
    if (sent === undefined || !llhttpKnowsMethod(sent.head.method)) continue
    passed++
    const { messages, refusal } = llhttpRequests([Buffer.from(sent.text, 'latin1')])
    const { head, body } = sent
    const target = head.method === 'CONNECT' ? head.authority : head.path
    const isOne = messages.length === 1 && messages[0]?.isComplete === true && refusal === ''
    const fields = (messages[0]?.fields ?? []).filter((_, n) => n % 2 === 0).map((name) => name.toLowerCase())
    const once = ['host', 'content-length', 'transfer-encoding'].every(
      (name) => fields.filter((field) => field === name).length <= 1,
    )
    const isClean = !fields.some((name) => name === 'keep-alive' || name === 'proxy-connection' || name === 'expect')
    const isAlike = messages[0]?.start === `${head.method} ${target} HTTP/1.1` && messages[0].body === body
    const host = messages[0]?.fields[fields.indexOf('host') * 2 + 1]
    if (isOne && once && isClean && isAlike && host === head.authority) continue
    expect({ seed, text, sent: sent.text, refusal, messages, host }).toBe('one request as it was')
  }
  expect(passed).toBeGreaterThan(STREAMS / 4)
}, 60_000)
