import { type Static, Type } from '@sinclair/typebox'
import { parseDurationMs } from '../../../crds/duration.ts'
import { durationOrZero, int32, message, oneOf } from '../../../crds/schema.ts'
import { errorText } from '../../../lib/errors.ts'
import { TEMPLATES } from '../../rules/templates.ts'
import type { Adapter, CheckResult, Handler, HandlerEnvironment, Instance, QuotaAsk, QuotaResult } from '../adapter.ts'
import { BatchQueue } from '../batch-queue.ts'
import { checkUrl } from '../tracing/exporter.ts'
import { checkAnswer, quotaAnswer } from './answers.ts'
import { postJson } from './post.ts'

const UNAVAILABLE = 14
const FAILURE_MODES = ['OPEN', 'CLOSED', 'PROXY'] as const

const Params = message({
  url: Type.String({ description: 'Where questions and reports are sent by POST.' }),
  failureMode: oneOf(FAILURE_MODES),
  timeout: Type.Optional(durationOrZero()),
  maxConcurrent: Type.Optional(int32()),
  flushDuration: Type.Optional(durationOrZero()),
  maxBatchSize: Type.Optional(int32()),
  maxQueueSize: Type.Optional(int32()),
})
type Params = Static<typeof Params>

/** Asks and tells a server of the user's own, in any language: docs/reference/mixer-adapters.md has the format. */
export const webhook: Adapter<Params> = {
  name: 'webhook',
  templates: [...TEMPLATES.values()].filter(({ variety }) => variety !== 'ATTRIBUTE_GENERATOR').map(({ name }) => name),
  params: Params,

  validate({ url, timeout, maxConcurrent = 1, maxBatchSize = 1, maxQueueSize = 1 }, error) {
    checkUrl(url, ['url'], error)
    if (timeout !== undefined && parseDurationMs(timeout) === 0) error(['timeout'], 'must be longer than 0')
    if (maxConcurrent < 1) error(['maxConcurrent'], 'must be at least 1')
    if (maxBatchSize < 1) error(['maxBatchSize'], 'must be at least 1')
    if (maxQueueSize < 1) error(['maxQueueSize'], 'must be at least 1')
  },

  open: (params, environment) => new Webhook(params, environment),
}

class Webhook implements Handler {
  readonly #url: string
  readonly #failureMode: Params['failureMode']
  readonly #timeoutMs: number
  readonly #maxConcurrent: number
  readonly #environment: HandlerEnvironment
  readonly #reports: BatchQueue<Instance>
  #underWay = 0
  #problem = ''

  constructor(params: Params, environment: HandlerEnvironment) {
    const {
      timeout = '1s',
      maxConcurrent = 64,
      flushDuration = '1s',
      maxBatchSize = 100,
      maxQueueSize = 10_000,
    } = params
    this.#url = params.url
    this.#failureMode = params.failureMode
    this.#timeoutMs = parseDurationMs(timeout) ?? 1000
    this.#maxConcurrent = maxConcurrent
    this.#environment = environment
    this.#reports = new BatchQueue(
      {
        name: 'webhook_reports',
        send: async (instances) => {
          await postJson(this.#url, this.#message('report', { instances }), this.#timeoutMs, environment)
        },
        maxWaiting: maxQueueSize,
        maxBatch: maxBatchSize,
        flushMs: parseDurationMs(flushDuration) ?? 1000,
        timeoutMs: this.#timeoutMs,
      },
      environment,
    )
  }

  check(instance: Instance): Promise<CheckResult> {
    const orElse = { code: this.#failureMode === 'OPEN' ? 0 : UNAVAILABLE, validDurationMs: 0, validUseCount: 1 }
    return this.#ask('check', { instance }, checkAnswer, (problem) => ({
      ...orElse,
      message: orElse.code === 0 ? '' : problem,
    }))
  }

  quota(instance: Instance, ask: QuotaAsk): Promise<QuotaResult> {
    const granted = this.#failureMode === 'OPEN' ? ask.amount : 0
    return this.#ask('quota', { instance, ...ask }, quotaAnswer, () => ({
      granted,
      validDurationMs: 0,
      maxAmount: granted,
      remaining: granted,
      resetMs: 0,
    }))
  }

  report(instances: readonly Instance[]): void {
    for (const instance of instances) this.#reports.add(instance)
  }

  close(): Promise<void> {
    return this.#reports.close()
  }

  async #ask<T>(
    type: string,
    fields: object,
    read: (answer: unknown) => T,
    orElse: (problem: string) => T,
  ): Promise<T> {
    const { metrics, log, key } = this.#environment
    try {
      if (this.#underWay >= this.#maxConcurrent) throw new Error('too many questions are under way')
      this.#underWay++
      let result: T
      try {
        result = read(await postJson(this.#url, this.#message(type, fields), this.#timeoutMs, this.#environment))
      } finally {
        this.#underWay--
      }
      if (this.#problem !== '') log.info('the webhook answers again', { handler: key })
      this.#problem = ''
      return result
    } catch (thrown) {
      const problem = errorText(thrown) || 'not reached'
      metrics.counter('webhook_failures_total').inc()
      if (this.#problem === '') {
        log.warning('the webhook does not answer', { handler: key, problem, failureMode: this.#failureMode })
      }
      this.#problem = problem
      if (this.#failureMode === 'PROXY') throw new Error(problem)
      return orElse(problem)
    }
  }

  #message(type: string, fields: object): object {
    return { version: 1, type, handler: this.#environment.key, ...fields }
  }
}
