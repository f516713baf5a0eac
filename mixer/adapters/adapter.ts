import type { TObject } from '@sinclair/typebox'
import type { ConfigObject, FieldPath } from '../../config/object.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import type { AttributeBag, Value, ValueType } from '../attributes/value.ts'

/** What a handler is told of a call: the fields of a template with their values. Those that were not written are absent. */
export interface Instance {
  /** `name.kind.namespace` of the object that it is made after. */
  readonly key: string
  readonly name: string
  readonly template: string
  readonly values: InstanceValues
}
export interface InstanceValues {
  readonly [field: string]: Value | InstanceValues | undefined
}

/** google.rpc.Code */
export const OK = 0

export interface CheckResult {
  /** google.rpc.Code; 0 lets the call pass. */
  readonly code: number
  readonly message: string
  /** How long, and for how many calls, the answer may be kept. */
  readonly validDurationMs: number
  readonly validUseCount: number
  /** For header operations: `<action>.output.<name>`. */
  readonly output?: Readonly<Record<string, Value>>
}

export interface QuotaAsk {
  readonly amount: number
  /** Whether less than all is welcome. */
  readonly bestEffort: boolean
  /** Who asks again with the same one is charged once; '' is charged each time. */
  readonly deduplicationId: string
}

export interface QuotaResult {
  readonly granted: number
  /** How long the grant holds; 0 for one that has no end. */
  readonly validDurationMs: number
  /** Of the limit that counted: how much, in which time, how much is left, and when some of it comes back. */
  readonly maxAmount: number
  readonly remaining: number
  readonly resetMs: number
}

/** What is around a handler. */
export interface HandlerEnvironment {
  readonly key: string
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: MetricStore
  /** The objects of the configuration, now. */
  objects(): readonly ConfigObject[]
}

/** An adapter at work with its parameters. It has the functions for the templates that its adapter takes; those may throw. */
export interface Handler {
  check?(instance: Instance): CheckResult | Promise<CheckResult>
  quota?(instance: Instance, ask: QuotaAsk): QuotaResult | Promise<QuotaResult>
  report?(instances: readonly Instance[]): void
  /** By the names of the outputs, `$out.` before them. */
  generate?(instance: Instance): AttributeBag
  /** In Prometheus' text format. */
  exposition?(): Promise<string>
  close(): void | Promise<void>
}

/** What handlers are made by. docs/reference/mixer-adapters.md says how to write one. */
export interface Adapter<Params = unknown> {
  readonly name: string
  /** Names by which older configuration knows it. */
  readonly aliases?: readonly string[]
  /** The templates whose instances it takes. */
  readonly templates: readonly string[]
  readonly params: TObject
  /** What its checks give, for header operations. */
  readonly outputs?: Readonly<Record<string, ValueType>>
  /** What the schema cannot say. Paths begin within the parameters. */
  validate?(params: Params, error: (path: FieldPath, message: string) => void): void
  /** The parameters have been checked. Must not wait for anything: what takes time happens behind. */
  open(params: Params, environment: HandlerEnvironment): Handler
}
