import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import {
  type ExportTraceServiceRequest,
  TraceService,
} from '../../api/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js'
import type { Span } from '../../api/gen/opentelemetry/proto/trace/v1/trace_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'

/** A collector of OTLP by gRPC that keeps what it gets. */
export class SpanCollector {
  readonly #server = new Server()
  readonly spans: Span[] = []
  resource: Readonly<Record<string, unknown>> = {}
  /** Reports that it refuses as UNAVAILABLE before it takes any. */
  refusals = 0
  refused = 0

  async listen(port = 0): Promise<number> {
    this.#server.addService(serviceDefinition(TraceService), {
      export: (call: ServerUnaryCall<ExportTraceServiceRequest, unknown>, answer: sendUnaryData<unknown>) => {
        if (this.refused < this.refusals) {
          this.refused++
          answer({ code: status.UNAVAILABLE })
          return
        }
        for (const { resource, scopeSpans } of call.request.resourceSpans) {
          this.resource = tagsOf(resource?.attributes ?? [])
          for (const { spans } of scopeSpans) this.spans.push(...spans)
        }
        answer(null, { $typeName: 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse' })
      },
    })
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound)
        else reject(error)
      })
    })
  }

  close(): void {
    this.#server.forceShutdown()
  }
}

export function tagsOf(attributes: Span['attributes']): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value?.value.value]))
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
