/** Names of tracing systems that an application has to hand on, in lower case (Istio, "Distributed Tracing", and W3C's). */
const TRACE_NAMES = [
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'x-request-id',
  'grpc-trace-bin',
  'x-cloud-trace-context',
  'sw8',
  'x-ot-span-context',
]
const DATADOG = 'x-datadog-'
/** What a proxy tells its upstream of the time it waits: whole milliseconds. */
export const EXPECTED_TIMEOUT = 'x-envoy-expected-rq-timeout-ms'
/** gRPC over HTTP/2, "Timeout". */
export const GRPC_TIMEOUT = 'grpc-timeout'
/** These belong to one message or one connection, or are the deadline, which is not handed on as it came. */
const NEVER = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'content-length',
  'content-type',
  'content-encoding',
  'http2-settings',
  EXPECTED_TIMEOUT,
  GRPC_TIMEOUT,
])
/** Several lines of these are one list (W3C Trace Context 3.3.1, W3C Baggage 3.3). Of the others the first line counts. */
export const LISTS: ReadonlySet<string> = new Set(['tracestate', 'baggage'])
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

export type Carries = (lowerCaseName: string) => boolean

/**
 * Which headers are handed on. `more` is a list of further names with commas; what cannot be a header of another call is
 * passed over.
 */
export function carriedNames(more: string): Carries {
  const names = new Set(TRACE_NAMES)
  for (const part of more.split(',')) {
    const name = part.trim().toLowerCase()
    if (TOKEN.test(name) && !NEVER.has(name)) names.add(name)
  }
  return (name) => names.has(name) || name.startsWith(DATADOG)
}
