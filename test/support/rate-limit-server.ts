import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import {
  RateLimitResponse_Code as Code,
  type RateLimitRequest,
  type RateLimitResponse,
  RateLimitResponseSchema,
  RateLimitService,
  RateLimitResponse_RateLimit_Unit as Unit,
} from '../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'

/** What a server of limits was told of a call. */
export interface ToldLimits {
  readonly domain: string
  readonly hits: number
  /** `key=value` of every entry. */
  readonly descriptors: readonly (readonly string[])[]
}

type Answer = MessageInitShape<typeof RateLimitResponseSchema> | 'error' | 'silence'

const HEADERS = [
  { key: 'x-from-limits', value: 'a' },
  { key: 'x-from-limits', value: 'b' },
]
const STATUSES = [
  { code: Code.OK, currentLimit: { requestsPerUnit: 10, unit: Unit.SECOND, name: 'fast' }, limitRemaining: 7 },
  {
    code: Code.OK,
    currentLimit: { requestsPerUnit: 100, unit: Unit.DAY },
    limitRemaining: 3,
    durationUntilReset: { seconds: 59n, nanos: 900_000_000 },
  },
  { code: Code.OK, limitRemaining: 1 },
  { code: Code.OK, currentLimit: { requestsPerUnit: 5 }, limitRemaining: 4 },
]

/** By the value of the entry `case`. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  ok: { overallCode: Code.OK },
  unknown: { overallCode: Code.UNKNOWN },
  over: { overallCode: Code.OVER_LIMIT },
  statuses: { overallCode: Code.OK, statuses: STATUSES },
  over_statuses: { overallCode: Code.OVER_LIMIT, statuses: STATUSES },
  headers: { overallCode: Code.OK, responseHeadersToAdd: HEADERS, requestHeadersToAdd: HEADERS },
  over_headers: {
    overallCode: Code.OVER_LIMIT,
    responseHeadersToAdd: [...HEADERS, { key: 'content-type', value: 'text/html' }],
    requestHeadersToAdd: HEADERS,
    rawBody: Buffer.from('<p>later</p>'),
  },
  over_body: { overallCode: Code.OVER_LIMIT, rawBody: Buffer.from('later') },
  error: 'error',
  silence: 'silence',
}

/** A server of limits that answers as the calls themselves say. */
export class RateLimitServer {
  readonly told: ToldLimits[] = []
  readonly #server = new Server()

  listen(): Promise<number> {
    this.#server.addService(serviceDefinition(RateLimitService), {
      shouldRateLimit: (
        call: ServerUnaryCall<RateLimitRequest, RateLimitResponse>,
        callback: sendUnaryData<RateLimitResponse>,
      ) => this.#answer(call.request, callback),
    })
    return new Promise((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      )
    })
  }

  close(): void {
    this.#server.forceShutdown()
  }

  #answer(
    { domain, hitsAddend: hits, descriptors }: RateLimitRequest,
    callback: sendUnaryData<RateLimitResponse>,
  ): void {
    const entries = descriptors.flatMap((one) => one.entries)
    this.told.push({
      domain,
      hits,
      descriptors: descriptors.map((one) => one.entries.map(({ key, value }) => `${key}=${value}`)),
    })
    const answer = ANSWERS[entries.find(({ key }) => key === 'case')?.value ?? 'ok'] ?? 'error'
    if (answer === 'error') callback({ code: status.UNAVAILABLE, details: 'out' })
    else if (answer !== 'silence') callback(null, create(RateLimitResponseSchema, answer))
  }
}
