import type { MetricConfig, PluginConfig } from '../../../api/gen/istio/stats/config_pb.js'
import { durationMs } from '../../plan/compile/common.ts'
import { METRIC_NAMES, type MetricName } from './metrics.ts'

/** stats.PluginConfig, with what the chain around it says. */
export interface StatsPlan {
  readonly reporter: 'source' | 'destination'
  /** Names what has no service after the host that was asked for. */
  readonly usesHost: boolean
  /** How often open TCP connections are reported. */
  readonly reportMs: number
  /** How long a series is kept that does not change. */
  readonly idleMs: number
  /** By metric; what is not there is as Istio has it. */
  readonly changes: ReadonlyMap<MetricName, MetricChange>
  /** Tells configurations apart that make other series of the same call. */
  readonly key: string
}

export interface MetricChange {
  readonly isDropped: boolean
  readonly removed: ReadonlySet<string>
}

const DEFAULT_REPORT_MS = 5_000
const MIN_REPORT_MS = 100
const DEFAULT_IDLE_MS = 3_600_000
/** Nobody scrapes more often. */
const MIN_IDLE_MS = 60_000

export function statsPlan(config: PluginConfig, direction: 'inbound' | 'outbound' | 'unspecified'): StatsPlan {
  const changes = changesOf(config.metrics)
  const idleMs = durationMs(config.rotationInterval, 0) + durationMs(config.gracefulDeletionInterval, 0)
  return {
    reporter: direction === 'inbound' ? 'destination' : 'source',
    usesHost: !config.disableHostHeaderFallback,
    reportMs: Math.max(MIN_REPORT_MS, durationMs(config.tcpReportingDuration, DEFAULT_REPORT_MS)),
    idleMs: Math.max(MIN_IDLE_MS, idleMs || DEFAULT_IDLE_MS),
    changes,
    key: JSON.stringify([...changes].map(([name, { isDropped, removed }]) => [name, isDropped, [...removed]])),
  }
}

/** One without a name is about all; later ones go over earlier. */
function changesOf(configs: readonly MetricConfig[]): Map<MetricName, MetricChange> {
  const changes = new Map<MetricName, MetricChange>()
  for (const config of configs) {
    const names = config.name === '' ? METRIC_NAMES : METRIC_NAMES.has(config.name) ? [config.name] : []
    for (const name of names as Iterable<MetricName>) {
      const before = changes.get(name)
      changes.set(name, {
        isDropped: config.drop,
        removed: new Set([...(before?.removed ?? []), ...config.tagsToRemove]),
      })
    }
  }
  return changes
}
