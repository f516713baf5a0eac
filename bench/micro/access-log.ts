import { writeHttpEntry } from '../../proxy/telemetry/access-log/grpc/entry.ts'
import { recordedCall } from '../../proxy/telemetry/access-log/testing.ts'
import { WireWriter } from '../../proxy/telemetry/wire/wire-writer.ts'

/*
 * What it costs to write one entry of an access log, in nanoseconds: the median of rounds. Without sending it.
 *
 *   npm run build && node dist/bench/micro/access-log.js
 */

const ROUNDS = 9
const ENTRIES = 200_000
const BATCH_BYTES = 64 * 1024

const record = recordedCall({
  path: '/productpage?u=normal',
  authority: 'productpage:9080',
  received: { host: 'productpage:9080', 'user-agent': 'curl/8.0', accept: '*/*', 'x-forwarded-for': '10.0.0.7' },
  fields: {
    'x-forwarded-proto': 'http',
    'x-request-id': '5e3a5d7c-64dd-4b41-a7c0-6a5f3dd3a1c2',
    'x-envoy-expected-rq-timeout-ms': '15000',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
  },
})
const options = { requestHeaders: [], responseHeaders: [], responseTrailers: [], tags: [] }
const out = new WireWriter(2 * BATCH_BYTES)

writeHttpEntry(out, record, options)
process.stdout.write(`bytes of an entry: ${out.length}\n`)
measure('entry of ALS', () => {
  writeHttpEntry(out, record, options)
  if (out.length > BATCH_BYTES) out.cut(0)
})

function measure(name: string, write: () => void): void {
  const costs: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const startMs = performance.now()
    for (let i = 0; i < ENTRIES; i++) write()
    if (round > 0) costs.push(((performance.now() - startMs) * 1e6) / ENTRIES)
  }
  costs.sort((a, b) => a - b)
  process.stdout.write(`${name}: ${Math.round(costs[ROUNDS >> 1] as number)} ns\n`)
}
