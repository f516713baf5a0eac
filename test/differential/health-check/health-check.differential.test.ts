import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { cluster, forwardChain } from '../../support/static-resources.ts'
import { StaticPair } from '../static-pair.ts'
import { type BackendKind, CheckedBackend, type State } from './checked-backend.ts'

/** Real Envoy and our proxy check the same hosts, which go bad and come back, and think alike of them. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const FIRST_PORT = 8300
const INTERVAL_MS = 200
const TIMEOUT_MS = 300

interface Kind {
  readonly name: string
  readonly backend: BackendKind
  readonly check: object
  /** What the backend does, and the health flags that come of it. */
  readonly states: readonly (readonly [state: State, flags: string])[]
}

const FAILED = '/failed_active_hc'
const TIMED_OUT = '/failed_active_hc/active_hc_timeout'
const WELL = 'healthy'

const IMMEDIATE = '/failed_active_hc/excluded_via_immediate_hc_fail'
const HTTP: Kind['states'] = [
  ['immediate', IMMEDIATE],
  ['well', WELL],
  ['good immediate', WELL],
  ['bad', FAILED],
  ['well', WELL],
  ['retriable', FAILED],
  ['degraded', '/degraded_active_hc'],
  ['well', WELL],
  ['silent', TIMED_OUT],
  ['well', WELL],
  ['closed', FAILED],
  ['well', WELL],
]
const retriable_statuses = [{ start: 503, end: 504 }]
const KINDS: readonly Kind[] = [
  {
    name: 'HTTP/1.1',
    backend: 'http1',
    check: { http_health_check: { path: '/health', host: 'a.example', retriable_statuses } },
    states: HTTP,
  },
  {
    name: 'HTTP/2',
    backend: 'http2',
    check: { http_health_check: { path: '/health', codec_client_type: 'HTTP2', retriable_statuses } },
    states: HTTP,
  },
  {
    name: 'HTTP/1.1 with an expected body, method and fields',
    backend: 'http1',
    check: {
      reuse_connection: false,
      http_health_check: {
        path: '/health?deep=1',
        method: 'POST',
        receive: [{ text: Buffer.from('all').toString('hex') }, { text: Buffer.from('well').toString('hex') }],
        expected_statuses: [{ start: 200, end: 201 }],
        request_headers_to_add: [{ header: { key: 'x-check', value: 'yes' } }],
      },
    },
    states: [
      ['bad', FAILED],
      ['well', WELL],
    ],
  },
  {
    name: 'HTTP/1.1 whose name of the service is none',
    backend: 'http1',
    check: { http_health_check: { path: '/', service_name_matcher: { exact: 'x' } } },
    states: [['well', FAILED]],
  },
  {
    name: 'gRPC',
    backend: 'grpc',
    check: { grpc_health_check: { service_name: 'a.b', authority: 'c.example' } },
    states: [
      ['bad', FAILED],
      ['well', WELL],
      ['retriable', FAILED],
      ['well', WELL],
      ['silent', TIMED_OUT],
      ['well', WELL],
      ['closed', FAILED],
      ['well', WELL],
    ],
  },
  {
    name: 'TCP',
    backend: 'tcp',
    check: {
      tcp_health_check: {
        send: { text: Buffer.from('PING').toString('hex') },
        receive: [{ text: Buffer.from('PONG').toString('hex') }],
      },
    },
    states: [
      ['silent', TIMED_OUT],
      ['well', WELL],
      ['bad', TIMED_OUT],
      ['well', WELL],
      ['closed', FAILED],
      ['well', WELL],
    ],
  },
  {
    name: 'TCP that only connects',
    backend: 'tcp',
    check: { tcp_health_check: {} },
    states: [
      ['closed', FAILED],
      ['well', WELL],
    ],
  },
]

const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
const HTTP2 = {
  [OPTIONS]: {
    '@type': `type.googleapis.com/${OPTIONS}`,
    explicit_http_config: { http2_protocol_options: {} },
  },
}

const pair = new StaticPair()
const backends = KINDS.map(({ backend }) => new CheckedBackend(backend))

beforeAll(async () => {
  if (envoy === undefined) return
  for (const backend of backends) await backend.open()
  const clusters = KINDS.map(({ check, backend }, i) =>
    cluster(`up${i}`, [backends[i]?.port ?? 0], {
      ...(backend === 'grpc' && { typed_extension_protocol_options: HTTP2 }),
      health_checks: [
        {
          interval: `${INTERVAL_MS / 1000}s`,
          no_traffic_interval: `${INTERVAL_MS / 1000}s`,
          timeout: `${TIMEOUT_MS / 1000}s`,
          unhealthy_threshold: 2,
          healthy_threshold: 2,
          ...check,
        },
      ],
    }),
  )
  const listeners = (address: string) =>
    KINDS.map((_, i) => ({
      name: `in${i}`,
      address: { socket_address: { address, port_value: FIRST_PORT + i } },
      filter_chains: [forwardChain(`up${i}`)],
    }))
  await pair.start(envoy, [FIRST_PORT], listeners, clusters)
}, 60_000)

afterAll(async () => {
  await pair.stop()
  for (const backend of backends) await backend.close()
}, 20_000)

const TIMEOUT_FLAG = '/active_hc_timeout'

/** Where no time-out is wanted, one that a machine without time has brought about is not told. */
async function flagsOf(host: string, i: number, wanted: string): Promise<string | undefined> {
  const flags = (await pair.healthFlags(host, `up${i}`))[String(backends[i]?.port)]
  return wanted.includes(TIMEOUT_FLAG) ? flags : flags?.replace(TIMEOUT_FLAG, '')
}

for (const [i, { name, states }] of KINDS.entries()) {
  withEnvoy(
    name,
    async () => {
      const backend = backends[i] as CheckedBackend
      const took: string[] = []
      for (const [state, flags] of states) {
        const fromMs = Date.now()
        await backend.set(state)
        const waits = Object.entries(pair.hosts).map(async ([who, host]) => {
          await eventually(
            async () => expect([who, state, await flagsOf(host, i, flags)]).toEqual([who, state, flags]),
            5000,
          )
          return `${who} ${Date.now() - fromMs} ms`
        })
        took.push(`${state}: ${(await Promise.all(waits)).join(', ')}`)
      }
      process.stdout.write(`${name}: ${took.join('; ')}\n`)
      const [theirs, ours] = await Promise.all(
        Object.values(pair.hosts).map((host) => pair.stats(host, `up${i}`, 'health_check')),
      )
      process.stdout.write(`${name}: Envoy ${JSON.stringify(theirs)}, ours ${JSON.stringify(ours)}\n`)
      // Envoy's gauge of degraded hosts never goes down again.
      for (const stats of [theirs, ours]) delete stats?.degraded
      expect(Object.keys(ours ?? {}).sort()).toEqual(Object.keys(theirs ?? {}).sort())
      // Each asks at times of its own: about as often.
      for (const [counter, value] of Object.entries(theirs ?? {})) {
        expect(Math.abs((ours?.[counter] ?? 0) - value)).toBeLessThanOrEqual(3 + value / 4)
      }
    },
    60_000,
  )
}

withEnvoy('an answer to a request of somebody else may say that the host fails', async () => {
  const backend = backends[0] as CheckedBackend
  const before = await Promise.all(Object.values(pair.hosts).map((host) => pair.stats(host, 'up0', 'health_check')))
  backend.answersImmediate = true
  for (const [who, host] of Object.entries(pair.hosts)) {
    await (await fetch(`http://${host}:${FIRST_PORT}/data`)).text()
    await eventually(async () => expect([who, await flagsOf(host, 0, IMMEDIATE)]).toEqual([who, IMMEDIATE]))
  }
  for (const [i, [who, host]] of Object.entries(pair.hosts).entries()) {
    await eventually(async () => expect([who, await flagsOf(host, 0, WELL)]).toEqual([who, WELL]))
    const { passive_failure: passive, failure } = await pair.stats(host, 'up0', 'health_check')
    expect([who, passive, (failure ?? 0) - (before[i]?.failure ?? 0)]).toEqual([who, 1, 1])
  }
})
