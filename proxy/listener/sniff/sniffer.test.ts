import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { type ConnectionFacts, connectionFacts } from '../../decide/connection-facts.ts'
import type { ListenerFilterPlan } from '../../plan/plan.ts'
import { sniffStats } from '../stats.ts'
import { clientHello } from '../testing/client-hello.ts'
import { MAX_SNIFFED_BYTES } from './result.ts'
import { Sniffer } from './sniffer.ts'

const isDisabled = undefined
const TLS: ListenerFilterPlan = { kind: 'tls_inspector', isDisabled }
const HTTP: ListenerFilterPlan = { kind: 'http_inspector', isDisabled }
const ORIGINAL_DST: ListenerFilterPlan = { kind: 'original_dst', isDisabled }
const PROXY: ListenerFilterPlan = {
  kind: 'proxy_protocol',
  isDisabled,
  isOptional: false,
  versions: { v1: true, v2: true },
}

const HEADER = Buffer.from('PROXY TCP4 10.1.2.3 10.9.8.7 8080 443\r\n')
const HELLO = clientHello({ serverName: 'a.example', protocols: ['h2'] })
const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')

function sniff(filters: readonly ListenerFilterPlan[], chunks: readonly Buffer[]) {
  const facts = connectionFacts({ destinationAddress: '10.0.0.1', destinationPort: 15006, sourceAddress: '10.0.0.2' })
  const restore = (known: ConnectionFacts) => {
    known.destinationPort = 80
    known.isRestored = true
  }
  const metrics = new MetricStore()
  const sniffer = new Sniffer(filters, facts, sniffStats(metrics), restore)
  let state = sniffer.push(undefined)
  for (const chunk of chunks) if (state === 'waiting') state = sniffer.push(chunk)
  const back = new PassThrough()
  sniffer.giveBack(back as unknown as Socket)
  const counted = metrics.all().filter((metric) => metric.value > 0)
  return { state, facts, back: (back.read() as Buffer | null) ?? Buffer.alloc(0), counted: counted.map((m) => m.name) }
}

test('without a filter that reads nothing is waited for', () => {
  expect(sniff([ORIGINAL_DST], []).facts).toMatchObject({ destinationPort: 80, isRestored: true })
  expect(sniff([ORIGINAL_DST], []).state).toBe('done')
  expect(sniff([TLS], []).state).toBe('waiting')
})

test('a filter is passed by on ports where it is disabled, by the restored destination', () => {
  const onlyOn80 = { ...TLS, isDisabled: (port: number) => port !== 80 }
  expect(sniff([onlyOn80], []).state).toBe('done')
  expect(sniff([ORIGINAL_DST, onlyOn80], []).state).toBe('waiting')
})

test('TLS is told with its name and protocols, and HTTP is not looked for in it', () => {
  const { state, facts, back, counted } = sniff([TLS, HTTP], [HELLO])
  expect(state).toBe('done')
  expect(facts).toMatchObject({ transportProtocol: 'tls', serverName: 'a.example', applicationProtocols: ['h2'] })
  expect(back.equals(HELLO)).toBe(true)
  expect(counted).toEqual(['tls_inspector.alpn_found', 'tls_inspector.sni_found', 'tls_inspector.tls_found'])
})

test('plain HTTP is told by its version', () => {
  const { facts, back, counted } = sniff([TLS, HTTP], [REQUEST])
  expect(facts).toMatchObject({ transportProtocol: 'raw_buffer', serverName: '', applicationProtocols: ['http/1.1'] })
  expect(back.equals(REQUEST)).toBe(true)
  expect(counted).toEqual(['http_inspector.http11_found', 'tls_inspector.tls_not_found'])
})

test('a PROXY header names both ends and is not given back', () => {
  const { facts, back } = sniff([PROXY, TLS, HTTP], [Buffer.concat([HEADER, HELLO])])
  expect(facts).toMatchObject({
    sourceAddress: '10.1.2.3',
    sourcePort: 8080,
    destinationAddress: '10.9.8.7',
    destinationPort: 443,
    isRestored: true,
    serverName: 'a.example',
  })
  expect(back.equals(HELLO)).toBe(true)
})

test('a header that names our own end restores nothing', () => {
  expect(sniff([PROXY], [Buffer.from('PROXY TCP4 1.1.1.1 10.0.0.1 9 15006\r\n')]).facts.isRestored).toBe(false)
})

test('without its header a connection is refused, unless that is allowed', () => {
  expect(sniff([PROXY], [REQUEST]).state).toBe('refused')
  const { state, back } = sniff([{ ...PROXY, isOptional: true }, HTTP], [REQUEST])
  expect([state, back.equals(REQUEST)]).toEqual(['done', true])
})

test('a version that is not allowed is refused', () => {
  const { state, counted } = sniff([{ ...PROXY, versions: { v1: false, v2: true } }], [HEADER])
  expect([state, counted]).toEqual(['refused', ['proxy_proto.versions.v1.disallowed']])
})

test('nothing is kept beyond the bound', () => {
  const endless = Buffer.alloc(MAX_SNIFFED_BYTES, 'a')
  endless.write('GET /')
  expect(sniff([HTTP], [endless]).counted).toEqual(['http_inspector.http_not_found'])
  expect(sniff([HTTP], [endless.subarray(1)]).state).toBe('waiting')
  const hello = clientHello({ extensions: [Buffer.concat([Buffer.from([9, 9, 255, 240]), Buffer.alloc(65520)])] })
  expect(sniff([TLS], [hello])).toMatchObject({ state: 'refused' })
})

test('a hello in ever so many records is not waited for beyond the bound', () => {
  const extensions = [Buffer.concat([Buffer.from([9, 9, 0x4e, 0x20]), Buffer.alloc(20_000)])]
  const hello = clientHello({ extensions, recordBytes: 1 })
  expect(hello.length).toBeGreaterThan(MAX_SNIFFED_BYTES)
  const { state, counted } = sniff([TLS], [hello.subarray(0, MAX_SNIFFED_BYTES)])
  expect([state, counted]).toEqual(['refused', ['tls_inspector.client_hello_too_large']])
})

test('a filter that stands there twice looks twice', () => {
  expect(sniff([TLS, TLS], [HELLO])).toMatchObject({ state: 'done', facts: { serverName: 'a.example' } })
})

test('however it is cut, a connection is told alike and gets every byte back', () => {
  const start = fc.constantFrom(
    HELLO,
    REQUEST,
    Buffer.from('SSH-2.0-x\r\n'),
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  )
  const cuts = fc.array(fc.nat(300), { maxLength: 8 })
  fc.assert(
    fc.property(start, cuts, (given, at) => {
      const bytes = Buffer.concat([HEADER, given])
      const ends = [...new Set([...at.filter((end) => end > 0 && end < bytes.length), bytes.length])].sort(
        (a, b) => a - b,
      )
      const chunks = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
      const whole = sniff([PROXY, TLS, HTTP], [bytes])
      const pieces = sniff([PROXY, TLS, HTTP], chunks)
      expect({ ...pieces, back: '' }).toEqual({ ...whole, back: '' })
      // What came after the decision stays with the socket.
      expect(given.subarray(0, pieces.back.length).equals(pieces.back)).toBe(true)
      expect(whole.back.equals(given)).toBe(true)
    }),
  )
})

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), (chunks) => {
      const optional = { ...PROXY, isOptional: true }
      const { state } = sniff(
        [optional, TLS, HTTP],
        chunks.filter((c) => c.length > 0).map((c) => Buffer.from(c)),
      )
      expect(['waiting', 'done', 'refused']).toContain(state)
    }),
  )
})
