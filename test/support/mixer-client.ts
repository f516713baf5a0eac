import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type ChannelCredentials,
  type Client,
  type ClientWritableStream,
  credentials,
  makeClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js'
import {
  AccessLogService,
  type StreamAccessLogsMessageSchema as MessageSchema,
  StreamAccessLogsMessageSchema,
} from '../../api/gen/envoy/service/accesslog/v3/als_pb.js'
import {
  Authorization,
  CheckRequestSchema,
  type CheckResponse,
} from '../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import {
  RateLimitRequestSchema,
  type RateLimitResponse,
  RateLimitService,
} from '../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import { Health, HealthCheckRequestSchema, type HealthCheckResponse } from '../../api/gen/grpc/health/v1/health_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'

type Answer<T> = (error: ServiceError | null, response: T) => void
type Unary = (request: unknown, callback: Answer<never>) => void
type Methods = Record<string, Unary> & { streamAccessLogs(callback: Answer<unknown>): ClientWritableStream<unknown> }

const WHOLE = {
  ...serviceDefinition(Authorization),
  shouldRateLimit: serviceDefinition(RateLimitService).shouldRateLimit!,
  streamAccessLogs: serviceDefinition(AccessLogService).streamAccessLogs!,
  health: serviceDefinition(Health).check!,
}
const Whole = makeClientConstructor(WHOLE, 'Mixer')

/** Asks a mixer what proxies ask. */
export class MixerClient {
  readonly #client: Client & Methods

  constructor(port: number, how: ChannelCredentials = credentials.createInsecure()) {
    this.#client = new Whole(`127.0.0.1:${port}`, how) as never
  }

  /** Of the attributes that the configuration of a proxy tells, and a request of HTTP. */
  check(
    contextExtensions: Record<string, string>,
    http: { method?: string; path?: string; host?: string; headers?: Record<string, string> } = {},
  ): Promise<CheckResponse> {
    return this.#ask('check', create(CheckRequestSchema, { attributes: { contextExtensions, request: { http } } }))
  }

  limit(entries: Record<string, string>, hitsAddend = 0): Promise<RateLimitResponse> {
    const descriptor = { entries: Object.entries(entries).map(([key, value]) => ({ key, value })) }
    return this.#ask(
      'shouldRateLimit',
      create(RateLimitRequestSchema, { domain: 'mixer', descriptors: [descriptor], hitsAddend }),
    )
  }

  health(service = ''): Promise<HealthCheckResponse> {
    return this.#ask('health', create(HealthCheckRequestSchema, { service }))
  }

  /** Resolved when the mixer has taken all, or has ended the stream where the client does not. */
  report(messages: readonly MessageInitShape<typeof MessageSchema>[], ends = true): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.#client.streamAccessLogs((error) => (error === null ? resolve() : reject(error)))
      for (const message of messages) stream.write(create(StreamAccessLogsMessageSchema, message))
      if (ends) stream.end()
    })
  }

  close(): void {
    this.#client.close()
  }

  #ask<T>(method: 'check' | 'shouldRateLimit' | 'health', request: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = this.#client[method] as unknown as (request: unknown, callback: Answer<T>) => void
      call.call(this.#client, request, (error, response) => (error === null ? resolve(response) : reject(error)))
    })
  }
}
