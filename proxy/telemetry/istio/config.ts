import type { MetricConfig, PluginConfig } from '../../../api/gen/istio/stats/config_pb.js'
import { durationMs } from '../../plan/compile/common.ts'
import { refuse } from '../../plan/plan-error.ts'
import { type CelExpression, compileCel } from '../cel/compile.ts'
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
  /** The expressions behind labels, each once. */
  readonly expressions: readonly CelExpression[]
  /** Tells configurations apart that make other series of the same call. */
  readonly key: string
}

export interface MetricChange {
  readonly isDropped: boolean
  readonly removed: ReadonlySet<string>
  /** Labels by the place of their expression. */
  readonly tags: ReadonlyMap<string, number>
}

const DEFAULT_REPORT_MS = 5_000
const MIN_REPORT_MS = 100
const DEFAULT_IDLE_MS = 3_600_000
/** Nobody scrapes more often. */
const MIN_IDLE_MS = 60_000

export function statsPlan(
  config: PluginConfig,
  direction: 'inbound' | 'outbound' | 'unspecified',
  path = '',
): StatsPlan {
  const texts: string[] = []
  const changes = changesOf(config.metrics, texts, path)
  const idleMs = durationMs(config.rotationInterval, 0) + durationMs(config.gracefulDeletionInterval, 0)
  return {
    reporter: direction === 'inbound' ? 'destination' : 'source',
    usesHost: !config.disableHostHeaderFallback,
    reportMs: Math.max(MIN_REPORT_MS, durationMs(config.tcpReportingDuration, DEFAULT_REPORT_MS)),
    idleMs: Math.max(MIN_IDLE_MS, idleMs || DEFAULT_IDLE_MS),
    changes,
    expressions: texts.map((text) => compileCel(text, `${path}.metrics`)),
    key: JSON.stringify([
      texts,
      [...changes].map(([name, { isDropped, removed, tags }]) => [name, isDropped, [...removed], [...tags]]),
    ]),
  }
}

/** One without a name is about all; later ones go over earlier. */
function changesOf(configs: readonly MetricConfig[], texts: string[], path: string): Map<MetricName, MetricChange> {
  const changes = new Map<MetricName, MetricChange>()
  configs.forEach((config, i) => {
    const tags = tagsOf(config.dimensions, texts, `${path}.metrics[${i}].dimensions`)
    const names = config.name === '' ? METRIC_NAMES : METRIC_NAMES.has(config.name) ? [config.name] : []
    for (const name of names as Iterable<MetricName>) {
      const before = changes.get(name)
      changes.set(name, {
        isDropped: config.drop,
        removed: new Set([...(before?.removed ?? []), ...config.tagsToRemove]),
        tags: new Map([...(before?.tags ?? []), ...tags]),
      })
    }
  })
  return changes
}

const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/

function tagsOf(dimensions: Readonly<Record<string, string>>, texts: string[], path: string): [string, number][] {
  return Object.entries(dimensions).map(([label, text]) => {
    if (!LABEL.test(label)) refuse(path, `${label} is no label`)
    if (!texts.includes(text)) texts.push(text)
    return [label, texts.indexOf(text)]
  })
}
