import type { NodeFacts } from '../../node-facts.ts'
import type { SideResult } from '../../stream/side-call.ts'
import type { ZipkinPlan } from './plan.ts'
import type { Span } from './span.ts'
import type { SpanExport } from './span-queue.ts'

/** As long as Envoy waits for a collector (tracing.zipkin.request_timeout). */
const TIMEOUT_MS = 5000
const MAX_ANSWER_BYTES = 64 * 1024

/** Zipkin's JSON, version 2 (zipkin.io/zipkin-api). */
export function zipkinExport({ cluster, hostname, path }: ZipkinPlan, node: NodeFacts): SpanExport {
  const localEndpoint = { serviceName: node.cluster }
  return {
    name: 'zipkin',
    requestOf: (spans) => ({
      cluster,
      method: 'POST',
      authority: hostname,
      path,
      headers: [['content-type', 'application/json']],
      body: Buffer.from(JSON.stringify(spans.map((span) => ({ ...jsonOf(span), localEndpoint })))),
      timeoutMs: TIMEOUT_MS,
      maxResponseBytes: MAX_ANSWER_BYTES,
    }),
    verdictOf: httpVerdict,
  }
}

/** Any answer that may become another is waited for: what is wrong with a report stays wrong. */
export function httpVerdict(result: SideResult): 'taken' | 'refused' | 'busy' {
  if (result.kind === 'failed') return result.reason === 'bad_request' ? 'refused' : 'busy'
  if (result.status >= 200 && result.status < 300) return 'taken'
  return result.status >= 500 || result.status === 429 || result.status === 408 ? 'busy' : 'refused'
}

const microseconds = (ms: number) => Math.round(ms * 1000)

function jsonOf(span: Span): object {
  return {
    traceId: span.traceId,
    id: span.spanId,
    ...(span.parentId === '' ? {} : { parentId: span.parentId }),
    kind: span.kind === 'server' ? 'SERVER' : 'CLIENT',
    name: utf8(span.name),
    timestamp: microseconds(span.startMs),
    // Zipkin takes 0 for a span that has not ended.
    duration: Math.max(1, microseconds(span.durationMs)),
    ...(span.isShared ? { shared: true } : {}),
    ...(span.isDebug ? { debug: true } : {}),
    ...(span.moments.length === 0
      ? {}
      : { annotations: span.moments.map(({ atMs, name }) => ({ timestamp: microseconds(atMs), value: name })) }),
    tags: tagsOf(span),
  }
}

function tagsOf({ tags }: Span): Record<string, string> {
  const named: Record<string, string> = Object.create(null)
  for (let i = 0; i < tags.length; i += 2) named[tags[i] as string] = utf8(tags[i + 1] as string)
  return named
}

/** Text that came as bytes of a head. What is no UTF-8 gets replacement characters. */
export function utf8(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, 'latin1').toString('utf8')
  }
  return text
}
