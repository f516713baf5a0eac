/**
 * What applications have to hand on so that a trace hangs together (istio.io, "Distributed tracing": headers to propagate), in lower
 * case: W3C's, B3's in both forms, and those of the tracers that Istio knows.
 */
const TRACE_FIELDS = [
  'traceparent',
  'tracestate',
  'baggage',
  'x-request-id',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'grpc-trace-bin',
  'x-cloud-trace-context',
  'x-datadog-trace-id',
  'x-datadog-parent-id',
  'x-datadog-sampling-priority',
  'sw8',
  'x-ot-span-context',
]

const FIELD_NAME = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/

/** Those, and others from a list with commas between them. What is no name of a field is passed over. */
export function carriedNames(more: string): readonly string[] {
  const others = more
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => FIELD_NAME.test(name))
  return [...new Set([...TRACE_FIELDS, ...others])]
}
