import { create } from '@bufbuild/protobuf'
import {
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerReadableStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import {
  AccessLogService,
  type StreamAccessLogsMessage,
  type StreamAccessLogsResponse,
  StreamAccessLogsResponseSchema,
} from '../../api/gen/envoy/service/accesslog/v3/als_pb.js'
import { Authorization, type CheckRequest } from '../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import {
  type RateLimitRequest,
  type RateLimitResponse,
  RateLimitService,
} from '../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import {
  type ExportTraceServiceRequest,
  type ExportTraceServiceResponse,
  TraceService,
} from '../../api/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'
import type { Timer } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import { OK } from '../adapters/adapter.ts'
import { checkBag } from '../attributes/from-check.ts'
import { descriptorBag } from '../attributes/from-rate-limit.ts'
import type { Mixer } from '../mixer.ts'
import type { CheckAnswer, QuotaAnswer } from '../rules/dispatcher.ts'
import { AccessLogStream } from './access-logs.ts'
import { Admission, type AdmissionOptions } from './admission.ts'
import { CheckEncoder } from './check-answer.ts'
import { HealthService } from './health.ts'
import { inTurn, type QuotaTaking, takeAhead, wantedOf } from './quota-grant.ts'
import { rateLimitResponse } from './rate-limit-answer.ts'
import { takeSpans } from './spans.ts'

const MAX_MESSAGE_BYTES = 4 * 1024 * 1024
const MAX_STREAMS = 1024
/** So long may calls that are under way go on when the mixer stops. */
const DRAIN_MS = 5_000

const SERVICES = [Authorization, RateLimitService, AccessLogService, TraceService]
const TOO_BUSY = { code: status.UNAVAILABLE, details: 'too much is under way' }

const { check: CHECK, ...others } = serviceDefinition(Authorization)
/** Its answers are bytes already. */
const AUTHORIZATION = {
  ...others,
  check: { ...(CHECK as MethodDefinition<unknown, unknown>), responseSerialize: (bytes: unknown) => bytes as Buffer },
}

/** Envoy's three services over gRPC, OpenTelemetry's of spans, and the health service. */
export class MixerServer {
  readonly #mixer: Mixer
  readonly #admission: Admission
  readonly #encoder = new CheckEncoder()
  readonly #health = new HealthService(SERVICES.map(({ typeName }) => typeName))
  readonly #logs = new Set<ServerReadableStream<StreamAccessLogsMessage, StreamAccessLogsResponse>>()
  readonly #server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.enable_channelz': 0,
  })

  constructor(mixer: Mixer, options: AdmissionOptions = {}) {
    this.#mixer = mixer
    this.#admission = new Admission(mixer.clock, mixer.stats, options)
    this.#server.addService(AUTHORIZATION, {
      check: (call: ServerUnaryCall<CheckRequest, Buffer>, callback: sendUnaryData<Buffer>) =>
        this.#check(call.request, callback),
    })
    this.#server.addService(serviceDefinition(RateLimitService), {
      shouldRateLimit: (
        call: ServerUnaryCall<RateLimitRequest, RateLimitResponse>,
        callback: sendUnaryData<RateLimitResponse>,
      ) => this.#limit(call.request, wantedOf(call.metadata, call.request), callback),
    })
    this.#server.addService(serviceDefinition(AccessLogService), {
      streamAccessLogs: (
        call: ServerReadableStream<StreamAccessLogsMessage, StreamAccessLogsResponse>,
        callback: sendUnaryData<StreamAccessLogsResponse>,
      ) => this.#takeLogs(call, callback),
    })
    this.#server.addService(serviceDefinition(TraceService), {
      export: (
        call: ServerUnaryCall<ExportTraceServiceRequest, ExportTraceServiceResponse>,
        callback: sendUnaryData<ExportTraceServiceResponse>,
      ) =>
        this.#admit(
          () => takeSpans(mixer, call.request),
          (response) => callback(null, response),
          callback,
        ),
    })
    this.#server.addService(HealthService.definition, this.#health.handlers)
  }

  /** `host:port`; port 0 takes a free one. Returns the port. */
  listen(address: string, credentials: ServerCredentials = ServerCredentials.createInsecure()): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, credentials, (error, port) => (error === null ? resolve(port) : reject(error)))
    })
  }

  /** Takes nothing new, and lets what is under way end. */
  async close(drainMs = DRAIN_MS): Promise<void> {
    this.#health.stopServing()
    this.#admission.close()
    // Logs never end by themselves: their proxies open another stream where they are welcome.
    for (const stream of this.#logs) stream.emit('end')
    let timer: Timer | undefined
    const tooLong = new Promise<void>((resolve) => {
      timer = this.#mixer.clock.setTimer(drainMs, resolve)
    })
    await Promise.race([tooLong, new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()))])
    timer?.cancel()
    this.#server.forceShutdown()
  }

  #check(request: CheckRequest, callback: sendUnaryData<Buffer>): void {
    const { dispatcher, stats } = this.#mixer
    stats.checks.inc()
    const answer = (verdict: CheckAnswer) => {
      // Where nobody can say, the proxy does what its fail mode says.
      if (verdict.code === OK && verdict.problem !== '') {
        stats.checksFailed.inc()
        callback({ code: status.INTERNAL, details: verdict.problem })
        return
      }
      if (verdict.code !== OK) stats.checksDenied.inc()
      callback(null, this.#encoder.encode(verdict))
    }
    this.#admit(() => dispatcher.check(checkBag(request, dispatcher.types)), answer, callback)
  }

  /** `wanted`: how many calls the proxy would like to let pass, this one among them; 0 where it says nothing of it. */
  #limit(
    { descriptors, hitsAddend }: RateLimitRequest,
    wanted: number,
    callback: sendUnaryData<RateLimitResponse>,
  ): void {
    const { dispatcher, stats } = this.#mixer
    stats.quotas.inc()
    const take = (hits: number) => {
      const answers = descriptors.map((one) => dispatcher.quota(descriptorBag(one, dispatcher.types), hits))
      return answers.some((one) => one instanceof Promise) ? Promise.all(answers) : (answers as QuotaAnswer[])
    }
    const hits = hitsAddend === 0 ? 1 : hitsAddend
    const ask = () => (wanted === 0 ? inTurn(take(hits), (answers) => ({ answers })) : takeAhead(take, hits, wanted))
    const answer = ({ answers, grant }: QuotaTaking) => {
      const isOver = answers.some(({ granted }) => !granted)
      const problem = answers.find((one) => one.problem !== '')?.problem
      if (isOver) stats.quotasOverLimit.inc()
      else if (problem !== undefined) {
        stats.quotasFailed.inc()
        callback({ code: status.UNAVAILABLE, details: problem })
        return
      }
      callback(null, rateLimitResponse(answers, grant))
    }
    this.#admit(ask, answer, callback)
  }

  /** Does the work if there is room for it. */
  #admit<T, R>(work: () => T | Promise<T>, answer: (result: T) => void, callback: sendUnaryData<R>): void {
    if (!this.#admission.enter()) {
      callback(TOO_BUSY)
      return
    }
    const failed = (thrown: unknown) => {
      this.#admission.leave()
      this.#mixer.log.error('bug', { error: thrown instanceof Error ? thrown.stack : errorText(thrown) })
      callback({ code: status.INTERNAL, details: 'internal error' })
    }
    const done = (result: T) => {
      this.#admission.leave()
      answer(result)
    }
    try {
      const result = work()
      if (result instanceof Promise) result.then(done, failed)
      else done(result)
    } catch (thrown) {
      failed(thrown)
    }
  }

  #takeLogs(
    call: ServerReadableStream<StreamAccessLogsMessage, StreamAccessLogsResponse>,
    callback: sendUnaryData<StreamAccessLogsResponse>,
  ): void {
    const stream = new AccessLogStream(this.#mixer)
    this.#logs.add(call)
    const forget = () => this.#logs.delete(call)
    call.on('data', (message: StreamAccessLogsMessage) => stream.take(message))
    call.on('end', () => {
      if (forget()) callback(null, create(StreamAccessLogsResponseSchema))
    })
    call.on('error', forget)
    call.on('cancelled', forget)
  }
}
