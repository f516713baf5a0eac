import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { type Logger, silentLogger } from '../../lib/log.ts'
import { compileStatic, parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import { DataPlane } from '../../proxy/data-plane.ts'
import { EMPTY_PLAN, type HttpManagerPlan } from '../../proxy/plan/plan.ts'
import type { CallRecord } from '../../proxy/telemetry/call-record.ts'
import type { CallObserver } from '../../proxy/telemetry/observer.ts'
import { eventually } from '../support/eventually.ts'
import { converse } from '../support/raw-client.ts'
import { ScriptedBackend } from '../support/scripted-backend.ts'
import { staticBootstrap } from '../support/static-proxy.ts'

/** What observers are told of calls that end in every way. */

interface Seen {
  readonly status: number
  readonly flags: string
  readonly detail: string
  readonly tries: number
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly upstream: string
  readonly isUpstreamAnswer: boolean
  /** In the order in which they came. */
  readonly events: string
}

let events: string[] = []
let seen: Seen[] = []
/** Of which requests the end was told. */
let told: string[] = []
const observer: CallObserver = {
  responseFields: ['x-kept'],
  onRequest: () => void events.push('request'),
  onForward: ({ decision }) => void events.push(`forward to ${decision.choice?.cluster}`),
  onResponse: (_record, fields) => {
    events.push('response')
    fields.set('x-kept', 'kept')
  },
  onEnd: (record: CallRecord) => {
    // Nobody sees the fields of an answer to what was no request.
    const isSeen = record.status !== 0 && record.detail !== 'http1.invalid_url'
    expect(record.responseField('x-kept')).toBe(isSeen ? 'kept' : undefined)
    expect(record.endMs).toBeGreaterThanOrEqual(Math.max(record.startMs, record.requestEndMs, record.responseMs))
    told.push(`${record.head.path} ${record.head.get('x-case')}`)
    seen.push({
      status: record.status,
      flags: record.flags.join(),
      detail: record.detail,
      tries: record.tries,
      receivedBytes: record.receivedBytes,
      sentBytes: record.sentBytes,
      upstream: record.host === undefined ? '' : `${record.cluster?.plan.name}`,
      isUpstreamAnswer: record.isUpstreamAnswer,
      events: events.splice(0).join(', '),
    })
  },
}

const backend = new ScriptedBackend()
const bugs: unknown[] = []
let plane: DataPlane
let port = 0
let cases = 0

beforeEach(async () => {
  const upstreamPort = await backend.listen()
  const route = (path: string, action: object) => ({ match: { path }, ...action })
  const text = staticBootstrap({
    upstreams: [upstreamPort],
    manager: {
      route_config: {
        name: 'r',
        virtual_hosts: [
          {
            name: 'v',
            domains: ['h'],
            routes: [
              route('/direct', { direct_response: { status: 418, body: { inline_string: 'tea' } } }),
              route('/nowhere', { route: { cluster: 'absent' } }),
              route('/short', { route: { cluster: 'upstream', timeout: '0.2s' } }),
              route('/retried', { route: { cluster: 'upstream', retry_policy: { retry_on: '5xx', num_retries: 1 } } }),
              route('/x', { route: { cluster: 'upstream' } }),
            ],
          },
        ],
      },
    },
  })
  const fixed = compileStatic(parseBootstrap(text, 'static'), 'static')
  for (const { filterChains } of fixed.listeners.values()) {
    // No configuration makes this observer.
    for (const { filter } of filterChains) {
      Object.assign(filter as HttpManagerPlan, { observers: [{ create: () => observer }] })
    }
  }
  const log: Logger = { ...silentLogger, error: (_message, fields) => void bugs.push(fields) }
  plane = new DataPlane({ log })
  expect(await plane.setPlan({ ...EMPTY_PLAN, ...fixed, version: 1 })).toEqual([])
  port = plane.listeners.get('in')?.port ?? 0
  events = []
  seen = []
  told = []
})

afterEach(() => {
  plane.close()
  backend.close()
  expect(bugs).toEqual([])
})

function head(path: string, script: string, fields: readonly string[] = [], method = 'GET', host = 'h'): string {
  const all = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    `x-case: ${++cases}`,
    `x-script: ${script}`,
    'Connection: close',
    ...fields,
  ]
  return `${all.join('\r\n')}\r\n\r\n`
}

async function observed(text: string): Promise<Seen> {
  await converse(port, [text])
  await eventually(() => expect(seen).toHaveLength(1))
  return seen[0] as Seen
}

const FORWARDED = 'request, forward to upstream, response'
const QUIET = { flags: '', receivedBytes: 0, tries: 1, upstream: 'upstream', isUpstreamAnswer: true }

test('an answer of the upstream, with bodies both ways', async () => {
  const body = 'five5'
  expect(await observed(`${head('/x', '200', [`content-length: ${body.length}`], 'POST')}${body}`)).toEqual({
    ...QUIET,
    status: 200,
    detail: 'via_upstream',
    receivedBytes: 5,
    sentBytes: '200#1'.length,
    events: FORWARDED,
  })
})

test('one that was tried again', async () => {
  expect(await observed(head('/retried', '503,200'))).toMatchObject({
    status: 200,
    tries: 2,
    flags: '',
    events: FORWARDED,
  })
  seen = []
  expect(await observed(head('/retried', '503'))).toMatchObject({ status: 503, tries: 2, flags: 'URX' })
})

test('answers of our own', async () => {
  const none = { tries: 0, receivedBytes: 0, upstream: '', isUpstreamAnswer: false }
  const own = 'request, response'
  const all: [string, object][] = [
    [head('/direct', ''), { ...none, status: 418, flags: '', detail: 'direct_response', sentBytes: 3, events: own }],
    [head('/none', ''), { ...none, status: 404, flags: 'NR', detail: 'route_not_found', sentBytes: 0, events: own }],
    [
      head('/nowhere', ''),
      { ...none, status: 503, flags: 'NC', detail: 'cluster_not_found', sentBytes: 0, events: own },
    ],
    // Refused before it is understood.
    [
      head('/x', '', [], 'BREW'),
      { ...none, status: 400, flags: 'DPE', detail: 'http1.codec_error', sentBytes: 11, events: 'response' },
    ],
    // No request at all.
    [
      'hello there\r\n\r\n',
      { ...none, status: 400, flags: 'DPE', detail: 'http1.invalid_url', sentBytes: 11, events: '' },
    ],
  ]
  for (const [text, expected] of all) {
    seen = []
    expect(await observed(text)).toEqual(expected)
  }
})

test('upstreams that break, and that are too slow', async () => {
  expect(await observed(head('/x', 'reset', ['content-length: 0'], 'POST'))).toMatchObject({
    status: 503,
    flags: 'UC',
    tries: 1,
    isUpstreamAnswer: false,
    events: FORWARDED,
  })
  seen = []
  expect(await observed(head('/x', 'cut'))).toMatchObject({
    status: 200,
    flags: 'UC',
    detail: 'upstream_reset_after_response_started{connection_termination}',
    sentBytes: 4,
    isUpstreamAnswer: true,
  })
  seen = []
  expect(await observed(head('/short', 'slow'))).toMatchObject({ status: 504, flags: 'UT', detail: 'response_timeout' })
})

test('a client that leaves', async () => {
  const client = connect({ port, host: '127.0.0.1' }, () => client.write(head('/x', 'slow')))
  client.on('error', () => {})
  await eventually(() => expect(events).toEqual(['request', 'forward to upstream']))
  client.destroy()
  await eventually(() => expect(seen).toHaveLength(1))
  expect(seen[0]).toMatchObject({ status: 0, flags: 'DC', detail: 'downstream_remote_disconnect', sentBytes: 0 })
})

test('every stream of HTTP/2 for itself', async () => {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  const statuses = await Promise.all(
    ['200', '404', '201'].map(
      (script, i) =>
        new Promise<number>((resolve, reject) => {
          const stream = session.request({ ':path': '/x', ':authority': 'h', 'x-case': `h2-${i}`, 'x-script': script })
          stream.on('response', (fields) => resolve(fields[':status'] as number))
          stream.on('error', reject)
          stream.resume()
        }),
    ),
  )
  expect(statuses).toEqual([200, 404, 201])
  await eventually(() => expect(seen).toHaveLength(3))
  expect(seen.map(({ status }) => status).sort()).toEqual([200, 201, 404])
  session.destroy()
})

const MANY = 100

test('requests behind one another in one connection, each with what it was itself', async () => {
  const path = (i: number) => (i % 3 === 0 ? `/none${i}` : `/direct?${i}`)
  const request = (i: number, more = '') => `GET ${path(i)} HTTP/1.1\r\nHost: h\r\nx-case: case-${i}\r\n${more}\r\n`
  const all = Array.from({ length: MANY }, (_, i) => request(i, i === MANY - 1 ? 'Connection: close\r\n' : ''))
  await converse(port, [all.join('')])
  await eventually(() => expect(told).toHaveLength(MANY))
  expect(told).toEqual(all.map((_, i) => `${path(i)} case-${i}`))
})

test('and streams of HTTP/2, more than one connection keeps for the next', async () => {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  for (let round = 0; round < 2; round++) {
    const answered = Array.from({ length: MANY }, (_, i) => {
      const stream = session.request({ ':path': `/direct?${round}`, ':authority': 'h', 'x-case': `case-${i}` })
      return new Promise((resolve, reject) => stream.on('error', reject).on('end', resolve).resume())
    })
    await Promise.all(answered)
  }
  await eventually(() => expect(told).toHaveLength(2 * MANY))
  const expected = Array.from({ length: 2 * MANY }, (_, i) => `/direct?${Math.floor(i / MANY)} case-${i % MANY}`)
  expect(told.sort()).toEqual(expected.sort())
  session.destroy()
})
