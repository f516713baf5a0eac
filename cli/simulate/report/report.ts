import type { ExpectationResult } from './expectations.ts'

/** What `simulate --json` prints. Lists by slice have one number for each slice of the time, the first at 0. */
export interface SimulationReport {
  scenario: string
  seed: number
  durationMs: number
  sliceMs: number
  clients: ClientReport[]
  services: ServiceReport[]
  configuration: { atMs: number; generation: number; refused: string[] }[]
  expectations: ExpectationResult[]
}

export interface LatencyReport {
  p50: number
  p90: number
  p99: number
  p999: number
  max: number
}

/** Of the calls of one client, or of all calls to one service: what their caller's sidecar answered. */
export interface CallsReport {
  offered: number
  succeeded: number
  failed: number
  /** Not answered a minute after the end. */
  unanswered: number
  /** null without calls. */
  successRate: number | null
  /** By status and response flag: `503 UO`. */
  failures: Record<string, number>
  latencyMs: LatencyReport
}

export interface ClientReport extends CallsReport {
  name: string
  service: string
  slices: { offered: number[]; successRate: (number | null)[]; p99Ms: number[] }
}

export interface ServiceReport extends CallsReport {
  name: string
  /** Requests that were sent to its endpoints. */
  tries: number
  retries: number
  hedges: number
  /** Retries that a breaker or a budget did not allow. */
  retriesRefused: number
  /** Requests that a breaker did not let through. */
  overflows: number
  ejections: number
  /** Calls that there would be if nothing ever failed. */
  nominal: number
  /** Tries for each of those; null where there are none. */
  amplification: number | null
  /** In the worst slice. */
  peakAmplification: number | null
  versions: VersionReport[]
  slices: {
    offered: number[]
    tries: number[]
    amplification: (number | null)[]
    retries: number[]
    ejections: number[]
  }
  /** All counters of clusters that are not 0, by Envoy's names, over all callers. */
  counters: Record<string, number>
}

export interface VersionReport {
  /** '' for the only one. */
  version: string
  endpoints: number
  /** Requests that arrived. */
  requests: number
  /** Of all requests that arrived at the service. */
  share: number
  /** The endpoint that got fewest, and the one that got most. */
  leastRequests: number
  mostRequests: number
  /** Requests that were worked on though their sender had given them up. */
  wasted: number
  /** Requests that were answered 503 since the queue was full. */
  queueFull: number
  longestQueue: number
}
