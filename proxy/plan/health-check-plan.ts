import type { JsonObject } from '@bufbuild/protobuf'
import type { StringMatcher } from './matchers.ts'

/** envoy.config.core.v3.HealthCheck with Envoy's defaults filled in. */
export interface HealthCheckPlan {
  /** Alike for alike settings: checks whose key stays go on as they run. */
  readonly key: string
  readonly probe: HttpProbePlan | TcpProbePlan | GrpcProbePlan
  readonly timeoutMs: number
  readonly intervalMs: number
  readonly initialJitterMs: number
  readonly intervalJitterMs: number
  readonly intervalJitterPercent: number
  readonly unhealthyThreshold: number
  readonly healthyThreshold: number
  readonly noTrafficIntervalMs: number
  readonly noTrafficHealthyIntervalMs: number
  readonly unhealthyIntervalMs: number
  readonly unhealthyEdgeIntervalMs: number
  readonly healthyEdgeIntervalMs: number
  readonly reusesConnection: boolean
  readonly alwaysLogsFailures: boolean
  readonly alwaysLogsSuccesses: boolean
  /** Offered in the place of the cluster's; undefined for those. */
  readonly alpnProtocols: readonly string[] | undefined
  /** Takes the place of an endpoint's own metadata where a transport socket is chosen. */
  readonly socketCriteria: JsonObject | undefined
}

/** Statuses from the first to the one before the last. */
export type StatusRange = readonly [from: number, to: number]

export interface HttpProbePlan {
  readonly kind: 'http'
  readonly method: string
  readonly path: string
  /** '' for the name of the cluster. */
  readonly host: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly removedHeaders: readonly string[]
  readonly isHttp2: boolean
  readonly expected: readonly StatusRange[]
  readonly retriable: readonly StatusRange[]
  readonly serviceName: StringMatcher | undefined
  /** Found in the body, in this order. */
  readonly receive: readonly Buffer[]
  /** How much of the body is looked at; 0 for all of it. */
  readonly maxReceivedBytes: number
}

export interface TcpProbePlan {
  readonly kind: 'tcp'
  /** undefined where connecting is enough. */
  readonly send: Buffer | undefined
  readonly receive: readonly Buffer[]
}

export interface GrpcProbePlan {
  readonly kind: 'grpc'
  readonly serviceName: string
  /** '' for the name of the cluster. */
  readonly authority: string
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** envoy.config.endpoint.v3.Endpoint.HealthCheckConfig. */
export interface EndpointCheckPlan {
  readonly isDisabled: boolean
  /** '' for the endpoint's own. */
  readonly address: string
  /** 0 for the endpoint's own. */
  readonly port: number
  /** Takes the place of the cluster's host or authority, where it is not ''. */
  readonly hostname: string
}
