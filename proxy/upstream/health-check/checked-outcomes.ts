import type { ResponseHead } from '../../stream/message.ts'
import type { Host } from '../host.ts'
import type { HostOutcomes, LocalFailure } from '../outcomes.ts'
import type { HealthChecker } from './checker.ts'
import { IMMEDIATE_FAILURE } from './probe.ts'

/** Of a cluster with active checks: any answer may say that its host fails. */
export class CheckedOutcomes implements HostOutcomes {
  readonly #checker: Pick<HealthChecker, 'onImmediateFailure'>
  readonly #others: HostOutcomes

  constructor(checker: Pick<HealthChecker, 'onImmediateFailure'>, others: HostOutcomes) {
    this.#checker = checker
    this.#others = others
  }

  onConnected(host: Host): void {
    this.#others.onConnected(host)
  }

  onOpaqueConnected(host: Host): void {
    this.#others.onOpaqueConnected(host)
  }

  onResponse(host: Host, head: ResponseHead): void {
    this.#others.onResponse(host, head)
    if (head.find(IMMEDIATE_FAILURE) >= 0) this.#checker.onImmediateFailure(host)
  }

  onLocalFailure(host: Host, failure: LocalFailure): void {
    this.#others.onLocalFailure(host, failure)
  }
}
