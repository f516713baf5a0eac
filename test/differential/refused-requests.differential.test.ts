import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { eventually } from '../support/eventually.ts'
import { sendRaw } from '../support/raw-http.ts'
import { ScriptedBackend } from '../support/scripted-backend.ts'
import { cluster, typed } from '../support/static-resources.ts'
import { StaticPair } from './static-pair.ts'

/** What real Envoy and our proxy write into their logs of bytes that are no request. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const PORT = 7871
const FORMAT =
  '%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_SENT% %RESPONSE_CODE_DETAILS%\n'

const GET = 'GET /x HTTP/1.1\r\n'
const POST = 'POST /x HTTP/1.1\r\nhost: a\r\n'
const many = Array.from({ length: 120 }, (_, i) => `x-${i}: a\r\n`).join('')

/** What is sent, and what ours says where it is not the same: why, where Envoy has one word for all, and of what it has read. */
const REFUSED: Readonly<Record<string, readonly [bytes: string, ours?: string]>> = {
  'no request at all': ['hello there\r\n\r\n', '- - - HTTP/1.1 400 DPE 11 http1.invalid_url'],
  'a space in a name': [`${GET}host: a\r\nb c: d\r\n\r\n`, '- - - HTTP/1.1 400 DPE 11 http1.invalid_characters'],
  'NUL in a value': [`${GET}host: a\r\nx: a\0b\r\n\r\n`],
  'a length and chunks': [`${POST}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc`],
  'another transfer encoding': [`${POST}transfer-encoding: gzip\r\n\r\nabc`],
  'a long head': [`${GET}host: a\r\nx: ${'a'.repeat(70_000)}\r\n\r\n`],
  'many fields': [`${GET}host: a\r\n${many}\r\n`],
  'no whole head': ['GET /x HT', '- - - HTTP/1.1 408 - 15 request_header_timeout'],
  'a bad chunk': [
    `${POST}transfer-encoding: chunked\r\n\r\nzz\r\n`,
    'POST /x a HTTP/1.1 400 DPE 11 http1.chunk_invalid',
  ],
  'HTTP/1.0': ['GET /x HTTP/1.0\r\nhost: a\r\n\r\n', 'GET /x a HTTP/1.0 426 DPE 0 low_version'],
}

const backend = new ScriptedBackend()
const pair = new StaticPair()
const dir = mkdtempSync(join(tmpdir(), 'lateen-refused-'))

beforeAll(async () => {
  if (envoy === undefined) return
  const up = await backend.listen()
  const listenerOf = (address: string) => {
    const log = { path: join(dir, address), log_format: { text_format_source: { inline_string: FORMAT } } }
    const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
      stat_prefix: 'h',
      request_headers_timeout: '1s',
      access_log: [{ name: 'f', typed_config: typed('access_loggers.file.v3.FileAccessLog', log) }],
      http_filters: [{ name: 'envoy.filters.http.router', typed_config: typed('filters.http.router.v3.Router') }],
      route_config: {
        name: 'r',
        virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'up' } }] }],
      },
    })
    return {
      name: 'in',
      address: { socket_address: { address, port_value: PORT } },
      filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
    }
  }
  await pair.start(envoy, [PORT], (address) => [listenerOf(address)], [cluster('up', [up], { connect_timeout: '2s' })])
}, 60_000)

afterAll(async () => {
  await pair.stop()
  backend.close()
  rmSync(dir, { recursive: true, force: true })
}, 20_000)

/** The lines of all that was refused, in its order. */
async function written(host: string): Promise<string[]> {
  await fetch(`http://${host}:15000/reopen_logs`, { method: 'POST' })
  return readFileSync(join(dir, host), 'latin1').split('\n').slice(0, -1)
}

withEnvoy(
  'a request that is refused before it is one is written with its code, flags, bytes and details',
  async () => {
    const cases = Object.entries(REFUSED)
    const found: Record<'envoy' | 'lateen', Record<string, string>> = { envoy: {}, lateen: {} }
    for (const plane of ['envoy', 'lateen'] as const) {
      const host = pair.hosts[plane]
      for (const [i, [name, [bytes]]] of cases.entries()) {
        const { status } = await sendRaw(host, PORT, bytes)
        await eventually(async () => expect(await written(host)).toHaveLength(i + 1), 20_000)
        const line = (await written(host))[i] as string
        expect([name, line.split(' ')[4]]).toEqual([name, String(status)])
        found[plane][name] = line
      }
    }
    const expected = cases.map(([name, [, ours]]) => [name, ours ?? found.envoy[name]])
    expect(found.lateen).toEqual(Object.fromEntries(expected))
    for (const [name, [, ours]] of cases) if (ours !== undefined) expect(found.envoy[name]).not.toBe(ours)
  },
  60_000,
)
