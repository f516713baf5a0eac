import { ByteSink } from '../../proxy/http2/hpack/byte-sink.ts'
import { HpackDecoder } from '../../proxy/http2/hpack/decoder.ts'
import { HpackEncoder } from '../../proxy/http2/hpack/encoder.ts'
import { FieldLines } from '../../proxy/http2/hpack/field-lines.ts'

/*
 * Nanoseconds per header block of HPACK in the steady state: a request of 12 fields and a response of 8 over one
 * connection, of which path, request id and trace (of the response: length, date in a thousandth, time) are another each time.
 *
 *   npm run build && node dist/bench/micro/hpack.js
 */

const ROUNDS = 9
const BLOCKS = 200_000
/** Different messages that follow each other. */
const VARIANTS = 1000
const MAX_LIST_BYTES = 64 * 1024

type Fields = readonly (readonly [name: string, value: string])[]

function hex(i: number, digits: number): string {
  return Math.imul(i + 1, 0x9e3779b1)
    .toString(16)
    .replace('-', '')
    .padStart(digits, '5a3c')
}

function request(i: number): Fields {
  return [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'reviews.default.svc.cluster.local:9080'],
    [':path', `/reviews/${i}?limit=10`],
    ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36'],
    ['accept', 'application/json, text/plain, */*'],
    ['accept-encoding', 'gzip, deflate, br'],
    ['x-request-id', `${hex(i, 8)}-1b2c-4d3e-8f40-${hex(i + 7, 12)}`],
    ['x-forwarded-proto', 'http'],
    ['x-b3-traceid', hex(i, 32)],
    ['x-envoy-attempt-count', '1'],
    ['cookie', 'session=0f3a9c1be58d47e2a6b4c8d0; theme=light'],
  ]
}

function response(i: number): Fields {
  return [
    [':status', '200'],
    ['content-type', 'application/json; charset=utf-8'],
    ['content-length', String(300 + i)],
    ['date', `Tue, 24 Nov 2026 09:32:${i < VARIANTS / 2 ? '10' : '11'} GMT`],
    ['server', 'istio-envoy'],
    ['x-envoy-upstream-service-time', String(i % 40)],
    ['cache-control', 'no-cache, no-store, must-revalidate'],
    ['vary', 'Accept-Encoding'],
  ]
}

/** One message as a slab with the four offsets of each field, as the proxy has it. */
interface Laid {
  bytes: Buffer
  at: Int32Array
  fields: Fields
}

function lay(messages: readonly Fields[]): Laid[] {
  const text = messages.map((fields) => fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')).join('')
  const bytes = Buffer.from(text, 'latin1')
  let place = 0
  return messages.map((fields) => {
    const at = new Int32Array(4 * fields.length)
    fields.forEach(([name, value], i) => {
      at.set([place, place + name.length, place + name.length + 2, place + name.length + 2 + value.length], 4 * i)
      place += name.length + value.length + 4
    })
    return { bytes, at, fields }
  })
}

function encodeOne(encoder: HpackEncoder, out: ByteSink, message: Laid): void {
  const { bytes, at } = message
  encoder.begin(out)
  for (let i = 0; i < at.length; i += 4) {
    encoder.bytes(
      out,
      bytes,
      undefined,
      at[i] as number,
      at[i + 1] as number,
      at[i + 2] as number,
      at[i + 3] as number,
      true,
    )
  }
}

function encodeText(encoder: HpackEncoder, out: ByteSink, message: Laid): void {
  encoder.begin(out)
  for (const [name, value] of message.fields) encoder.text(out, name, value)
}

/** The best round: others of this machine only ever make it slower. */
function measure(name: string, run: (i: number) => void): void {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < BLOCKS; i++) run(i % VARIANTS)
    best = Math.min(best, Number(process.hrtime.bigint() - start) / BLOCKS)
  }
  process.stdout.write(`${name.padEnd(42)} ${best.toFixed(0).padStart(6)} ns\n`)
}

function bench(kind: string, make: (i: number) => Fields, huffman: boolean): void {
  const title = `${kind}${huffman ? ', huffman' : ''}`
  const messages = lay(Array.from({ length: VARIANTS }, (_, i) => make(i)))
  const out = new ByteSink()
  const encoder = new HpackEncoder(4096, { huffman })
  measure(`${title}: encode`, (i) => {
    out.end = 0
    encodeOne(encoder, out, messages[i] as Laid)
  })
  const ofTexts = new HpackEncoder(4096, { huffman })
  measure(`${title}: encode text`, (i) => {
    out.end = 0
    encodeText(ofTexts, out, messages[i] as Laid)
  })
  // All variants go by twice, so that the table is as it is in the steady state; the second time is decoded again and again.
  const feeding = new HpackEncoder(4096, { huffman })
  const decoder = new HpackDecoder(4096)
  const into = new FieldLines()
  const blocks: Buffer[] = []
  let bytes = 0
  for (let i = 0; i < 2 * VARIANTS; i++) {
    out.end = 0
    encodeOne(feeding, out, messages[i % VARIANTS] as Laid)
    const block = Buffer.from(out.bytes.subarray(0, out.end))
    if (i < VARIANTS) {
      if (decoder.decode(block, 0, block.length, into, MAX_LIST_BYTES) !== 0) throw new Error('not decoded')
    } else {
      blocks.push(block)
      bytes += block.length
    }
  }
  const received = Buffer.concat(blocks)
  const starts = new Int32Array(VARIANTS + 1)
  blocks.forEach((block, i) => {
    starts[i + 1] = (starts[i] as number) + block.length
  })
  measure(`${title}: decode (${(bytes / VARIANTS).toFixed(0)} bytes)`, (i) => {
    const error = decoder.decode(received, starts[i] as number, starts[i + 1] as number, into, MAX_LIST_BYTES)
    if (error !== 0) throw new Error(`not decoded: ${error}`)
  })
}

for (const huffman of [false, true]) {
  bench('request of 12', request, huffman)
  bench('response of 8', response, huffman)
}
