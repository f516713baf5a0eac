import { HeaderBlock } from '../../proxy/stream/header-block.ts'
import { istioCallObserver } from '../../proxy/telemetry/istio/call-observer.ts'
import { ownFields } from '../../proxy/telemetry/istio/peer-metadata.ts'
import { meshTls, NODE, observing, recordOf, stats } from '../../proxy/telemetry/istio/testing.ts'

/*
 * What Istio's metrics cost per request, in nanoseconds: median of rounds, the fastest and the slowest. Without the time in which
 * requests are read and written.
 *
 *   npm run build && node dist/bench/micro/istio-metrics.js
 */

const ROUNDS = 9
const CALLS = 300_000

const own = ownFields(NODE)
const told = `X-Envoy-Peer-Metadata: ${own.value}\r\nX-Envoy-Peer-Metadata-Id: ${own.id}\r\n`
const mesh = () => meshTls('spiffe://cluster.local/ns/default/sa/a', 'spiffe://cluster.local/ns/default/sa/b')

measure('metrics of one outcome', 'outbound', false, [''])
measure('metrics of eight statuses in turn', 'outbound', false, Array(8).fill(''))
measure('metrics and metadata of one peer', 'inbound', true, [told])

function measure(
  name: string,
  direction: 'inbound' | 'outbound',
  exchanges: boolean,
  requests: readonly string[],
): void {
  const observer = istioCallObserver(direction, stats(direction), exchanges).create(observing().context)
  const records = requests.map((lines, i) => {
    const record = recordOf(lines, direction === 'inbound' ? mesh() : undefined)
    record.status = 200 + i
    record.endMs = 11.2
    record.sentBytes = 2000
    return record
  })
  const heads = records.map(({ head }) => head)
  const counts = heads.map(({ count }) => count)
  const answer = new HeaderBlock()
  const costs: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    let spentMs = 0
    for (let i = 0; i < CALLS; i += 1000) {
      const startMs = performance.now()
      for (let n = 0; n < 1000; n++) {
        const at = (i + n) % records.length
        const record = records[at] as (typeof records)[number]
        observer.onRequest?.(record)
        observer.onForward?.(record)
        answer.clear()
        observer.onResponse?.(record, answer)
        observer.onEnd?.(record)
        // The same request once more.
        const head = heads[at] as (typeof heads)[number]
        head.clear()
        head.count = counts[at] as number
      }
      spentMs += performance.now() - startMs
    }
    // The first is there to warm up.
    if (round > 0) costs.push((spentMs * 1e6) / CALLS)
  }
  costs.sort((a, b) => a - b)
  const [low, median, high] = [costs[0], costs[Math.floor(ROUNDS / 2)], costs.at(-1)] as [number, number, number]
  process.stdout.write(`${name.padEnd(42)}${median.toFixed(0)} ns (${low.toFixed(0)}..${high.toFixed(0)})\n`)
}
