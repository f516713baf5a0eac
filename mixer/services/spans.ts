import { create } from '@bufbuild/protobuf'
import {
  type ExportTraceServiceRequest,
  type ExportTraceServiceResponse,
  ExportTraceServiceResponseSchema,
} from '../../api/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js'
import { isSpan, resourceTags, spanBag } from '../attributes/from-span.ts'
import type { Mixer } from '../mixer.ts'
import type { Reports } from '../rules/dispatcher.ts'

/** Hands spans to the rules that want them. Those without proper ids are refused, and the answer says how many. */
export function takeSpans(mixer: Mixer, { resourceSpans }: ExportTraceServiceRequest): ExportTraceServiceResponse {
  const { dispatcher, stats } = mixer
  stats.spanMessages.inc()
  const reports: Reports = new Map()
  const isWanted = dispatcher.wantsSpans
  let taken = 0
  let rejected = 0
  for (const { resource, scopeSpans } of resourceSpans) {
    const tags = resourceTags(resource)
    for (const { spans } of scopeSpans) {
      for (const span of spans) {
        if (!isSpan(span)) {
          rejected++
          continue
        }
        taken++
        if (isWanted) dispatcher.report(spanBag(span, tags, dispatcher.types), reports, 'SPANS')
      }
    }
  }
  stats.spans.add(taken)
  stats.spansRejected.add(rejected)
  dispatcher.hand(reports)
  return create(ExportTraceServiceResponseSchema, {
    ...(rejected > 0 && {
      partialSuccess: {
        rejectedSpans: BigInt(rejected),
        errorMessage: 'ids of traces have 16 bytes, of spans 8, not all 0',
      },
    }),
  })
}
