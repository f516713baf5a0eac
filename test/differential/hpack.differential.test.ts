import { once } from 'node:events'
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  sensitiveHeaders,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Random, randomInt, seededRandom } from '../../lib/random.ts'
import { HpackEncoder } from '../../proxy/http2/hpack/encoder.ts'
import { expectSame, type Field, testSeed } from '../support/hpack.ts'
import { HpackPeer } from '../support/hpack-peer.ts'
import { pick, randomFields } from '../support/random-fields.ts'

/**
 * Our HPACK and nghttp2's (by node:http2) understand each other: what ours encodes it decodes, and what it encodes ours
 * decodes, while table sizes change on both sides.
 */

const CONNECTIONS = 20
const TURNS = 25
const REQUESTS_PER_TURN = 8
/** Settings of an odd number more: the peer is told after some turns. */
const TABLE_SIZES = [0, 50, 128, 1000, 4096, 20_000]
/** Names that node:http2 sends as often as they are given, and as they are. */
const NAMES = ['x', 'xy', 'x-request-id', 'x-user', 'grpc-timeout', 'vary', 'x-long-name-of-a-field-that-comes-again']

let server: Http2Server
const sessions: ServerHttp2Session[] = []
/** What the server got, and what it answers: one for each request in order. */
let got: Field[][] = []
let answers: { fields: Field[]; secrets: string[] }[] = []

beforeAll(async () => {
  server = createServer({
    maxHeaderListPairs: 200,
    maxSendHeaderBlockLength: 1 << 20,
    settings: { maxHeaderListSize: 1 << 20 },
  })
  server.on('session', (session) => sessions.push(session))
  server.on('stream', (...[stream, , , rawHeaders]: [ServerHttp2Stream, unknown, unknown, unknown]) => {
    const raw = rawHeaders as string[]
    got.push(Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!]))
    const { fields, secrets } = answers[got.length - 1]!
    const headers: IncomingHttpHeaders & { [sensitiveHeaders]?: string[] } = { [sensitiveHeaders]: secrets }
    for (const [name, value] of fields) {
      const before = headers[name]
      headers[name] = before === undefined ? value : [before, value].flat()
    }
    stream.respond(headers, { endStream: true, sendDate: false } as object)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(async () => {
  server.close()
  await once(server, 'close')
})

/** Fields of one name one after the other, as node:http2 sends them. */
function grouped(fields: readonly Field[]): Field[] {
  const names = [...new Set(fields.map(([name]) => name))]
  return names.flatMap((name) => fields.filter(([n]) => n === name))
}

function randomRequest(random: Random): Field[] {
  return [
    [':method', pick(random, ['GET', 'POST', 'PATCH'])],
    [':scheme', pick(random, ['http', 'https'])],
    [':authority', `host-${randomInt(random, 5)}.example`],
    [':path', pick(random, ['/', '/index.html', `/${randomInt(random, 1000)}?a=b`])],
    ...randomFields(random, [...NAMES, 'cookie', 'accept-encoding', 'cache-control']),
  ]
}

test(`ours and nghttp2 understand each other (seed ${testSeed})`, async () => {
  const random = seededRandom(testSeed)
  const { port } = server.address() as AddressInfo
  let lists = 0
  for (let c = 0; c < CONNECTIONS; c++) {
    const encoder = new HpackEncoder(undefined, { huffman: c % 2 === 0, indexAtFirstSight: c % 3 === 0 })
    const peer = new HpackPeer(port, encoder, TABLE_SIZES[c % TABLE_SIZES.length] as number)
    for (let turn = 0; turn < TURNS; turn++) {
      if (turn % 5 === 3) {
        const last = sessions.length - 1
        for (let n = randomInt(random, 3); n >= 0; n--) {
          sessions[last]!.settings({ headerTableSize: pick(random, TABLE_SIZES) })
        }
      }
      got = []
      const requests = Array.from({ length: REQUESTS_PER_TURN }, () => randomRequest(random))
      answers = requests.map(() => {
        const fields = grouped(randomFields(random, NAMES))
        return { fields, secrets: fields.filter(() => randomInt(random, 10) === 0).map(([name]) => name) }
      })
      const responses = await Promise.all(
        requests.map((fields) => peer.request(fields, 2000 + randomInt(random, 14_000))),
      )
      expectSame(got, requests)
      responses.forEach((response, i) => {
        const { fields, secrets } = answers[i]!
        expectSame([response.error, response.fields], [0, [[':status', '200'], ...fields]])
        expectSame(
          response.never,
          fields.filter(([name]) => secrets.includes(name)).map(([name]) => name),
        )
      })
      lists += 2 * REQUESTS_PER_TURN
    }
    expect(peer.others).toEqual([])
    // The first settings, and some of those that were changed.
    expect(peer.tableSizes.length).toBeGreaterThan(2)
    await peer.close()
  }
  expect(lists).toBe(2 * CONNECTIONS * TURNS * REQUESTS_PER_TURN)
}, 60_000)
