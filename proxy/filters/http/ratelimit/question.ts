import { create, toBinary } from '@bufbuild/protobuf'
import type { RateLimitDescriptor } from '../../../../api/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.js'
import { RateLimitRequestSchema } from '../../../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import { type Asker, type Asking, NOTHING_TO_CANCEL, type Question } from '../../../decide/question.ts'
import { SideCall } from '../../../stream/side-call.ts'
import { grpcCall } from '../../grpc-call.ts'
import { type LimitResult, readLimitAnswer } from './answer.ts'
import type { RateLimitConfig } from './config.ts'
import { type QuotaTable, WANTED_FIELD } from './quota-table.ts'

const SHOULD_RATE_LIMIT = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'

/** Whether there is room for one call more under these descriptors. It is asked once, within its time-out. */
export class LimitQuestion implements Question {
  readonly isLocal = false
  readonly bodyBytes = 0
  readonly about: string
  readonly #config: RateLimitConfig
  readonly #domain: string
  readonly #descriptors: RateLimitDescriptor[]
  readonly #quotas: QuotaTable | undefined
  readonly #key: string

  constructor(
    config: RateLimitConfig,
    domain: string,
    descriptors: RateLimitDescriptor[],
    quotas: QuotaTable | undefined,
    key: string,
  ) {
    this.#config = config
    this.#domain = domain
    this.#descriptors = descriptors
    this.#quotas = quotas
    this.#key = key
    this.about = `cluster ${config.service.cluster} whether there is room for the call`
  }

  ask(asker: Asker): Asking {
    if (asker.context === undefined) {
      asker.answer({ kind: 'error' } satisfies LimitResult)
      return NOTHING_TO_CANCEL
    }
    const { service } = this.#config
    const message = toBinary(
      RateLimitRequestSchema,
      create(RateLimitRequestSchema, { domain: this.#domain, descriptors: this.#descriptors }),
    )
    const request = (wanted: number) =>
      grpcCall(service, SHOULD_RATE_LIMIT, message, [[WANTED_FIELD, String(wanted)] as const])
    const begun = this.#quotas?.begin(this.#key, request)
    const side = SideCall.send(request(begun?.wanted ?? 1), asker.context, (answered) => {
      const result = readLimitAnswer(answered)
      begun?.end(result, 1)
      asker.answer(result)
    })
    return {
      cancel() {
        side.cancel()
        begun?.end({ kind: 'error' }, 1)
      },
    }
  }
}
