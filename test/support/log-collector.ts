import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import {
  type ExportLogsServiceRequest,
  LogsService,
} from '../../api/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js'
import type { LogRecord } from '../../api/gen/opentelemetry/proto/logs/v1/logs_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'
import { tagsOf } from './span-collector.ts'

/** A collector of OTLP's logs by gRPC that keeps what it gets. */
export class LogCollector {
  readonly #server = new Server()
  readonly records: LogRecord[] = []
  /** Of each request, its resource's attributes. */
  readonly resources: Readonly<Record<string, unknown>>[] = []
  /** It refuses every request as UNAVAILABLE. */
  isRefusing = false

  async listen(): Promise<number> {
    this.#server.addService(serviceDefinition(LogsService), {
      export: (call: ServerUnaryCall<ExportLogsServiceRequest, unknown>, answer: sendUnaryData<unknown>) => {
        if (this.isRefusing) {
          answer({ code: status.UNAVAILABLE })
          return
        }
        for (const { resource, scopeLogs } of call.request.resourceLogs) {
          this.resources.push(tagsOf(resource?.attributes ?? []))
          for (const { logRecords } of scopeLogs) this.records.push(...logRecords)
        }
        answer(null, { $typeName: 'opentelemetry.proto.collector.logs.v1.ExportLogsServiceResponse' })
      },
    })
    return new Promise((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound)
        else reject(error)
      })
    })
  }

  close(): void {
    this.#server.forceShutdown()
  }
}
