import type { Failure } from '../mesh/failure.ts'
import type { LatencyModel } from '../mesh/latency.ts'
import type { BoundsSpec, Measure } from './schema.ts'

/** A scenario as it is run: checked, with defaults in place and times in milliseconds. */
export interface ScenarioModel {
  readonly file: string
  readonly seed: number
  readonly durationMs: number
  readonly networkLatencyMs: number
  readonly slices: number
  readonly config: readonly ConfigText[]
  readonly services: readonly ServiceModel[]
  readonly clients: readonly ClientModel[]
  readonly changes: readonly ChangeModel[]
  readonly expectations: readonly ExpectationModel[]
}

/** Configuration as it is written in a file; of the scenario's own file only the lines that hold objects. */
export interface ConfigText {
  readonly file: string
  readonly text: string
}

export interface RequestModel {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export interface CallModel {
  readonly service: string
  readonly count: number
  readonly probability: number
  readonly request: RequestModel
  /** undefined: the call may fail without harm. 0: the answer has the status that the call got. */
  readonly failWith: number | undefined
}

export interface FailureModel extends Failure {
  readonly version: string | undefined
  readonly endpoints: number | undefined
  readonly fraction: number | undefined
}

export interface VersionModel {
  /** '' for the only one. */
  readonly name: string
  readonly replicas: number
  readonly latency: LatencyModel
  readonly concurrency: number
}

export interface ServiceModel {
  readonly name: string
  readonly namespace: string
  readonly port: number
  readonly protocol: 'http' | 'http2'
  readonly versions: readonly VersionModel[]
  readonly localities: readonly string[]
  readonly maxQueue: number
  readonly stopsWhenAbandoned: boolean
  readonly failures: readonly FailureModel[]
  readonly calls: readonly CallModel[]
}

export interface ClientModel {
  readonly name: string
  readonly namespace: string
  readonly service: string
  readonly ratePerSecond: number
  readonly arrivals: 'poisson' | 'constant'
  readonly fromMs: number
  readonly toMs: number
  /** Infinite for a client that waits for ever. */
  readonly timeoutMs: number
  readonly proxies: number
  readonly locality: string
  readonly request: RequestModel
}

export interface ChangeModel {
  readonly atMs: number
  readonly config: readonly ConfigText[]
  /** Keys of objects (`kind/namespace/name`). */
  readonly deleted: readonly string[]
  readonly endpoints: readonly { service: string; version: string; add: number; remove: number }[]
  /** Where it is written. */
  readonly line: number
}

export interface ExpectationModel {
  readonly client: string | undefined
  readonly service: string | undefined
  readonly fromMs: number
  readonly toMs: number
  readonly measure: Measure
  readonly bounds: BoundsSpec
  readonly line: number
}
