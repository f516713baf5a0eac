import { sortFindings } from '../config/analysis/analyze.ts'
import type { Finding } from '../config/finding.ts'
import { FindingLog } from '../config/finding-log.ts'
import type { ConfigObject } from '../config/object.ts'
import type { ConfigSnapshot, ConfigSource } from '../config/store.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { errorText } from '../lib/errors.ts'
import { createLogger, type Logger } from '../lib/log.ts'
import { MetricStore } from '../lib/metrics/store.ts'
import { type Random, systemRandom } from '../lib/random.ts'
import type { Handler } from './adapters/adapter.ts'
import { Dispatcher } from './rules/dispatcher.ts'
import { type Model, ModelCompiler, type ModelOptions } from './rules/model.ts'
import type { HandlerPlan } from './rules/rule.ts'
import { MixerStats } from './rules/stats.ts'

export interface MixerOptions extends ModelOptions {
  source: ConfigSource
  clock?: Clock
  random?: Random
  log?: Logger
}

/** Handlers that are no longer meant are closed so long after, when nothing asks them any more. */
const CLOSE_AFTER_MS = 10_000

/** What answers the three services: the configuration's last good generation, and its handlers. */
export class Mixer {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics = new MetricStore()
  readonly stats = new MixerStats(this.metrics)
  readonly #random: Random
  readonly #compiler: ModelCompiler
  readonly #stopSource: () => void
  #snapshot: ConfigSnapshot
  #model: Model | undefined
  #dispatcher: Dispatcher | undefined
  #generation = 0
  /** By the object that says their parameters: one that did not change is the same object, and keeps its handler. */
  #handlers = new Map<ConfigObject<unknown>, Handler>()
  readonly #findingLog: FindingLog

  constructor({ source, clock = systemClock, random = systemRandom, log, ...options }: MixerOptions) {
    this.clock = clock
    this.#random = random
    this.log = log ?? createLogger('mixer')
    this.#findingLog = new FindingLog(this.log)
    this.#compiler = new ModelCompiler(options)
    this.#snapshot = source.current()
    this.#publish()
    this.#stopSource = source.onChange((snapshot) => {
      this.#snapshot = snapshot
      this.#publish()
    })
  }

  /** Take it once for each call. */
  get dispatcher(): Dispatcher {
    return this.#dispatcher as Dispatcher
  }

  /** Counts from 1. */
  get generation(): number {
    return this.#generation
  }

  get model(): Model {
    return this.#model as Model
  }

  get handlers(): readonly Handler[] {
    return [...this.#handlers.values()]
  }

  /** What is wrong with the configuration now. */
  findings(): Finding[] {
    return sortFindings([...this.#snapshot.findings, ...this.model.findings])
  }

  async close(): Promise<void> {
    this.#stopSource()
    await Promise.all(this.handlers.map((handler) => handler.close()))
    this.#handlers.clear()
  }

  /** Handlers are opened before anything sees them, and all is swapped in one assignment. */
  #publish(): void {
    const model = this.#compiler.compile(this.#snapshot.objects)
    const handlers = new Map<ConfigObject<unknown>, Handler>()
    const byKey = new Map<string, Handler>()
    for (const [key, plan] of model.handlers) {
      const handler = this.#handlers.get(plan.object) ?? this.#open(plan)
      if (handler === undefined) continue
      handlers.set(plan.object, handler)
      byKey.set(key, handler)
    }
    const chance = { clock: this.clock, random: this.#random }
    this.#dispatcher = new Dispatcher(model, byKey, chance, this.stats)
    this.#model = model
    const before = this.#handlers
    this.#handlers = handlers
    this.stats.generation.set(++this.#generation)
    this.#closeUnused(before)
    this.stats.findings.set(this.#findingLog.report(this.findings()))
  }

  #open({ key, adapter, params }: HandlerPlan): Handler | undefined {
    const { clock, log, metrics } = this
    try {
      return adapter.open(params, { key, clock, log, metrics, objects: () => this.#snapshot.objects })
    } catch (thrown) {
      log.error('a handler cannot be opened', { handler: key, error: errorText(thrown) })
      return undefined
    }
  }

  #closeUnused(before: ReadonlyMap<ConfigObject<unknown>, Handler>): void {
    const unused = [...before].filter(([object]) => !this.#handlers.has(object)).map(([, handler]) => handler)
    if (unused.length === 0) return
    this.clock.setTimer(CLOSE_AFTER_MS, () => {
      for (const handler of unused) void handler.close()
    })
  }
}
