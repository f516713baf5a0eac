import type { LogLevel } from '../../../lib/log.ts'
import type { SharedMetric } from '../../../lib/metrics/store.ts'
import type { ListenerFailure } from '../../data-plane.ts'
import type { TokenMemory } from '../../limits/token-table.ts'
import type { SharedBreakerMemory } from '../../upstream/breaker-counts.ts'
import type { SharedHostMemory } from '../../upstream/host-table/shared-host-table.ts'
import type { RelayedResources } from '../../xds/resource-set.ts'
import type { OtherSecrets } from '../bootstrap.ts'
import type { ClusterStatus, ListenerStatus } from '../planes.ts'

/** What a worker is born with. */
export interface WorkerBirth {
  readonly thread: number
  /** An envoy.config.bootstrap.v3.Bootstrap, encoded, and the file it came from. */
  readonly bootstrap: Uint8Array
  readonly file: string
  /** Clusters of the bootstrap that lead to the management server. */
  readonly managementClusters: readonly string[]
  readonly secrets: OtherSecrets
  readonly breakers: SharedBreakerMemory
  readonly hosts: SharedHostMemory
  readonly tokens: TokenMemory
  readonly logLevel: LogLevel
  /** Of all threads together. */
  readonly maxSeries: number | undefined
  readonly turnWaitUs: number | undefined
}

export type ToWorker =
  | { readonly kind: 'resources'; readonly order: number; readonly resources: RelayedResources }
  | { readonly kind: 'drain'; readonly deadlineMs: number }
  | { readonly kind: 'clusters'; readonly request: number }
  /** All metrics were read out. */
  | { readonly kind: 'scraped' }
  /** Nobody reads these slots any more. */
  | { readonly kind: 'forgotten'; readonly metrics: readonly SharedMetric[] }
  | { readonly kind: 'reopen_logs' }
  | { readonly kind: 'close' }

export type FromWorker =
  | { readonly kind: 'started'; readonly failures: readonly ListenerFailure[] }
  | { readonly kind: 'metrics'; readonly metrics: readonly SharedMetric[] }
  /** Metrics that are over; their slots are not used again before it is said that they are forgotten. */
  | { readonly kind: 'released'; readonly metrics: readonly SharedMetric[] }
  | { readonly kind: 'state'; readonly connections: number; readonly listeners: readonly ListenerStatus[] }
  /** All resources up to this order are in force. */
  | { readonly kind: 'settled'; readonly order: number }
  | { readonly kind: 'clusters'; readonly request: number; readonly clusters: readonly ClusterStatus[] }
  | { readonly kind: 'drained' }
  /** All that it held is written. */
  | { readonly kind: 'closed' }
