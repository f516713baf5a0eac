import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { ByteUpstream } from '../support/byte-upstream.ts'
import { eventually } from '../support/eventually.ts'
import { converse, statuses } from '../support/raw-client.ts'
import { StaticProxy } from '../support/static-proxy.ts'
import { CHUNKS, TRAILERS } from './cases/chunks.ts'
import { ENCODINGS, LENGTHS } from './cases/framing.ts'
import { FIELDS, HOSTS, SEMANTICS, START_LINES } from './cases/heads.ts'
import { get, type HostileCase, head, post } from './cases/hostile-case.ts'

/**
 * What is no request is answered once, with the right status; the connection ends; it is counted; and neither it nor
 * what stands behind it on the connection is ever seen by the upstream.
 */

const BEHIND = 'GET /smuggled HTTP/1.1\r\nHost: smuggled\r\n\r\n'.repeat(3)

const upstream = new ByteUpstream()
let proxy: StaticProxy

beforeAll(async () => {
  proxy = await StaticProxy.start({
    upstreams: [await upstream.listen()],
    manager: { upgrade_configs: [{ upgrade_type: 'websocket' }] },
  })
})
beforeEach(() => upstream.forget())
afterAll(async () => {
  upstream.close()
  await proxy.stop()
})

interface Counts {
  total: number
  answered: number
  broken: number
}

function counts(status: number): Counts {
  return {
    total: proxy.metric('http.downstream_rq_total'),
    answered: proxy.metric(`http.downstream_rq_${Math.floor(status / 100)}xx`),
    broken: proxy.metric('http.downstream_cx_protocol_error'),
  }
}

async function refuses({ bytes, status, by }: HostileCase, pieces: (text: string) => string[]): Promise<void> {
  const before = counts(status)
  const { text, isClosed } = await converse(proxy.port, pieces(bytes + BEHIND))
  expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: [status], isClosed: true })
  expect(text.toLowerCase()).toContain('\r\nconnection: close\r\n')
  expect(counts(status)).toEqual({
    total: before.total + 1,
    answered: before.answered + 1,
    broken: before.broken + (by === 'policy' ? 0 : 1),
  })
  // What was begun with is given up before anything is looked at.
  await eventually(() => expect(proxy.metric('http.downstream_rq_active')).toBe(0))
  expect(upstream.text).not.toContain('smuggled')
  if (by !== 'body') expect(upstream.text).toBe('')
  else expect(upstream.text).not.toMatch(/(^|\r\n)0\r\n.*\r\n$/s)
}

const whole = (text: string) => [text]
/** In the middle of what is wrong, as likely as anywhere. */
const halves = (text: string) => {
  const middle = Math.floor((text.length - BEHIND.length) / 2)
  return [text.slice(0, middle), text.slice(middle)]
}

const GROUPS: Record<string, readonly HostileCase[]> = {
  'a length': LENGTHS,
  'a coding': ENCODINGS,
  'a field': FIELDS,
  'a start line': START_LINES,
  'a host': HOSTS,
  'a request': SEMANTICS,
  'a chunk': CHUNKS,
  'a trailer field': TRAILERS,
}

for (const [group, cases] of Object.entries(GROUPS)) {
  test.each(cases.map((one) => [one.what, one] as const))(`${group}: %s`, async (_what, one) => {
    await refuses(one, whole)
    upstream.forget()
    await refuses(one, halves)
  })
}

test.each([
  ['a request', get()],
  ['an empty line before it', `\r\n${get()}`],
  ['a length', `${post('Content-Length: 5')}hello`],
  ['zeros before a length', `${post('Content-Length: 00005')}hello`],
  ['chunks in capitals', `${post('Transfer-Encoding: CHUNKED')}5\r\nhello\r\n0\r\n\r\n`],
  ['a tab before chunked', `${post('Transfer-Encoding:\tchunked')}5\r\nhello\r\n0\r\n\r\n`],
  ['a chunk with extensions', `${post('Transfer-Encoding: chunked')}5;a=b;c="d e"\r\nhello\r\n0\r\n\r\n`],
  ['a trailer', `${post('Transfer-Encoding: chunked')}0\r\nX-Checksum: 1\r\n\r\n`],
  ['an IPv6 host', head('GET / HTTP/1.1', 'Host: [::1]:80')],
  ['an absolute target', head('GET http://a:80/b HTTP/1.1', 'Host: h')],
  ['100 fields', get(...Array.from({ length: 99 }, (_, i) => `a${i}: b`))],
])('and %s is served, and what is behind it', async (_what, bytes) => {
  for (const pieces of [[bytes + get()], [...(bytes + get())]]) {
    const { text, isClosed } = await converse(proxy.port, pieces, (heard) => statuses(heard).length === 2)
    expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: [200, 200], isClosed: false })
  }
})
