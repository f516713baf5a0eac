import type { IncomingHttpHeaders } from 'node:http'

/** What a service hands on with every call it makes, so that a trace hangs together and routes can see the user. */
const HANDED_ON = [
  'x-request-id',
  'traceparent',
  'tracestate',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'x-ot-span-context',
  'x-cloud-trace-context',
  'x-datadog-trace-id',
  'x-datadog-parent-id',
  'x-datadog-sampling-priority',
  'grpc-trace-bin',
  'authorization',
  'user-agent',
  'end-user',
]

export function handedOn(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of HANDED_ON) {
    const value = headers[name]
    if (typeof value === 'string') kept[name] = value
  }
  return kept
}
