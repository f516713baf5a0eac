import { systemClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { RandomWords, systemRandom } from '../../lib/random.ts'
import { parseRequestHead } from '../../proxy/http1/request-parser.ts'
import { NO_NODE } from '../../proxy/node-facts.ts'
import { RequestHead } from '../../proxy/stream/message.ts'
import { CallRecord } from '../../proxy/telemetry/call-record.ts'
import { CallObservers } from '../../proxy/telemetry/observers.ts'
import { ChainWatch } from '../../proxy/telemetry/tracing/chain-watch.ts'
import { TraceIds } from '../../proxy/telemetry/tracing/ids.ts'
import type { TracingPlan } from '../../proxy/telemetry/tracing/plan.ts'
import { Tracer } from '../../proxy/telemetry/tracing/tracer.ts'

/*
 * Nanoseconds that a call which is not kept costs its tracer, from onRequest() to onEnd(): with a context that came, and with one
 * that is made; the parsing of the same head is measured too and taken away.
 *
 *   npm run build && node dist/bench/micro/tracing.js
 */

const ROUNDS = 9
const CALLS = 200_000
const PROVIDER = { kind: 'opentelemetry', transport: 'grpc', cluster: 'c', authority: 'c', path: '' } as const

const plan: TracingPlan = {
  direction: 'inbound',
  spawnsUpstreamSpan: false,
  maxPathTagLength: 256,
  isVerbose: false,
  customTags: [],
  sampling: { client: 100, random: 0, overall: 100, usesRequestId: true, packsReason: true },
  provider: { ...PROVIDER, timeoutMs: 1000, headers: [], resource: [] },
}

const FIELDS =
  'Host: reviews:9080\r\nuser-agent: x\r\naccept: */*\r\nx-request-id: 7c1f27a4-9d4c-4d3e-8f59-9a2f37c9b3aa\r\n'
const CONTEXT = 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n'

function main(): void {
  const metrics = new MetricStore()
  const bugs = { guard: (_name: string, run: () => void) => run }
  const stream = { random: systemRandom, clock: systemClock, metrics, bugs }
  const context = { stream, node: NO_NODE } as never
  const tracer = new Tracer(
    plan,
    context,
    { add() {} },
    new ChainWatch(stream as never, silentLogger),
    new TraceIds(new RandomWords(systemRandom)),
  )
  const observers = new CallObservers([tracer], () => {})
  for (const [title, more] of [
    ['a context is made', ''],
    ['a context came', CONTEXT],
  ] as const) {
    const bytes = Buffer.from(`GET /reviews/1 HTTP/1.1\r\n${FIELDS}${more}\r\n`, 'latin1')
    const head = new RequestHead()
    const record = new CallRecord({ head, facts: {}, decision: {} } as never)
    const run = (isTraced: boolean) => {
      const startedMs = performance.now()
      for (let i = 0; i < CALLS; i++) {
        head.clear()
        parseRequestHead(bytes, 0, bytes.length - 4, head)
        record.begin(observers, {} as never, 0, 0)
        if (!isTraced) continue
        observers.onRequest(record)
        observers.onForward(record)
        observers.onEnd([record], 0, 1)
      }
      return ((performance.now() - startedMs) * 1e6) / CALLS
    }
    const median = (isTraced: boolean) => {
      run(isTraced)
      return Array.from({ length: ROUNDS }, () => run(isTraced)).sort((a, b) => a - b)[ROUNDS >> 1] as number
    }
    const without = median(false)
    process.stdout.write(`${title}: ${Math.round(median(true) - without)} ns a call\n`)
  }
}

main()
