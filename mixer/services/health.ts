import { create } from '@bufbuild/protobuf'
import { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from '@grpc/grpc-js'
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from '../../api/gen/grpc/health/v1/health_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'

type Watcher = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>

/** grpc.health.v1: whether each service is there. '' is the whole server. */
export class HealthService {
  static readonly definition = serviceDefinition(Health)
  readonly #services: ReadonlySet<string>
  readonly #watchers = new Set<Watcher>()
  #isServing = true

  constructor(services: readonly string[]) {
    this.#services = new Set(['', ...services])
  }

  /** Those who ask look for another one from now on. */
  stopServing(): void {
    this.#isServing = false
    for (const watcher of this.#watchers) {
      watcher.write(response(this.#statusOf(watcher.request.service)))
      watcher.end()
    }
    this.#watchers.clear()
  }

  readonly handlers = {
    check: (
      { request }: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>,
      callback: sendUnaryData<HealthCheckResponse>,
    ) => {
      const serving = this.#statusOf(request.service)
      if (serving === Serving.SERVICE_UNKNOWN) callback({ code: status.NOT_FOUND, details: 'unknown service' })
      else callback(null, response(serving))
    },
    watch: (call: Watcher) => {
      call.write(response(this.#statusOf(call.request.service)))
      this.#watchers.add(call)
      const forget = () => this.#watchers.delete(call)
      call.on('cancelled', forget)
      call.on('error', forget)
    },
  }

  #statusOf(service: string): Serving {
    if (!this.#services.has(service)) return Serving.SERVICE_UNKNOWN
    return this.#isServing ? Serving.SERVING : Serving.NOT_SERVING
  }
}

function response(serving: Serving): HealthCheckResponse {
  return create(HealthCheckResponseSchema, { status: serving })
}
