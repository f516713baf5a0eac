import type { MetricReading, MetricSource } from '../../../lib/metrics/store.ts'
import type { Agent } from '../agent.ts'

/**
 * A metric's name as Envoy writes it: label values stand behind the first part of the name, as in
 * `cluster.<cluster_name>.upstream_rq_total`.
 */
export function flatName(metric: MetricReading): string {
  const dot = metric.name.indexOf('.')
  const values = Object.values(metric.labels).join('.')
  if (values === '' || dot < 0) return metric.name
  return `${metric.name.slice(0, dot)}.${values}${metric.name.slice(dot)}`
}

function selected(source: MetricSource, query: URLSearchParams): { name: string; value: number }[] {
  const wanted = query.get('filter') ?? ''
  return source
    .all()
    .map((metric) => ({ name: flatName(metric), value: metric.value }))
    .filter(({ name, value }) => name.includes(wanted) && (!query.has('usedonly') || value !== 0))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

export function statsText(agent: Agent, query: URLSearchParams): string {
  return selected(agent.planes.metrics, query)
    .map(({ name, value }) => `${name}: ${value}\n`)
    .join('')
}

export function statsJson(agent: Agent, query: URLSearchParams): unknown {
  return { stats: selected(agent.planes.metrics, query) }
}
