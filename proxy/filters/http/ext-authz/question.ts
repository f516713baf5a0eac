import type { Asker, Asking, Question } from '../../../decide/question.ts'
import { NOTHING_TO_CANCEL } from '../../../decide/question.ts'
import { FRAMING } from '../../../stream/message.ts'
import { SideCall } from '../../../stream/side-call.ts'
import type { CheckCache } from './cache/check-cache.ts'
import { KeptAsking } from './cache/kept-asking.ts'
import type { ExtAuthzConfig } from './config.ts'
import { grpcRequest, readGrpcAnswer } from './grpc-check.ts'
import { httpRequest, readHttpAnswer } from './http-check.ts'
import type { CheckResult } from './result.ts'

/** What a server of verdicts says of a call. It is asked once, within its time-out. */
export class CheckQuestion implements Question {
  readonly isLocal = false
  readonly bodyBytes: number
  readonly about: string
  readonly #config: ExtAuthzConfig
  readonly #extensions: Readonly<Record<string, string>>
  readonly #cache: CheckCache | undefined

  constructor(config: ExtAuthzConfig, extensions: Readonly<Record<string, string>>, cache: CheckCache | undefined) {
    this.#config = config
    this.#extensions = extensions
    this.#cache = cache
    this.about = `cluster ${config.service.cluster} whether the call may pass`
    // One byte more than may be told shows that there is more.
    this.bodyBytes = config.body === undefined ? 0 : config.body.maxBytes + 1
  }

  ask(asker: Asker): Asking {
    if (this.#cache === undefined) return this.#send(asker, (result) => asker.answer(result))
    return new KeptAsking(this.#cache, asker, this.#extensions, (onResult) => this.#send(asker, onResult))
  }

  #send(asker: Asker, onResult: (result: CheckResult) => void): Asking {
    const config = this.#config
    const { service } = config
    const hasBody = config.body !== undefined && asker.call.head.framing !== FRAMING.none
    const whole = hasBody ? Buffer.concat(asker.body()) : undefined
    const isPartial = whole !== undefined && config.body !== undefined && whole.length > config.body.maxBytes
    if (isPartial && config.body?.allowPartial !== true) {
      onResult({ kind: 'too_large' })
      return NOTHING_TO_CANCEL
    }
    if (asker.context === undefined) {
      onResult({ kind: 'error' })
      return NOTHING_TO_CANCEL
    }
    const body = isPartial ? whole.subarray(0, config.body?.maxBytes) : whole
    const request =
      service.kind === 'grpc'
        ? grpcRequest(service, config, this.#extensions, asker, body, isPartial)
        : httpRequest(service, config, asker, body, isPartial)
    return SideCall.send(request, asker.context, (result) => {
      onResult(service.kind === 'grpc' ? readGrpcAnswer(result) : readHttpAnswer(result, service))
    })
  }
}
