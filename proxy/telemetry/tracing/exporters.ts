import type { ObserverContext } from '../observer.ts'
import { otlpExport } from './otlp.ts'
import type { ProviderPlan } from './plan.ts'
import { SpanQueue } from './span-queue.ts'
import type { SpanSink } from './tracer.ts'
import { zipkinExport } from './zipkin.ts'

/** The queue of spans on their way to a collector: one for all connection managers of a thread that tell the same. */
export function spanSink(provider: ProviderPlan, context: ObserverContext): SpanSink {
  const key = `spans ${JSON.stringify(provider)}`
  return context.sink(key, () => {
    const export_ =
      provider.kind === 'zipkin' ? zipkinExport(provider, context.node) : otlpExport(provider, context.node)
    return new SpanQueue(export_, context.stream)
  })
}
