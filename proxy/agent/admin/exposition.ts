import { Registry } from 'prom-client'
import type { Metric, MetricStore } from '../../../lib/metrics/store.ts'

/** What prom-client asks of a metric at a scrape. */
interface ScrapedMetric {
  name: string
  help: string
  type: 'counter' | 'gauge'
  aggregator: 'sum'
  values: { value: number; labels: Record<string, string> }[]
}

/**
 * The slots in Prometheus' text format, with Envoy's names: `envoy_cluster_upstream_rq_total{envoy_cluster_name="..."}`.
 * prom-client only writes the text; nothing of it is touched while requests are counted.
 */
export async function prometheusText(store: MetricStore): Promise<string> {
  const families = new Map<string, ScrapedMetric>()
  for (const metric of store.all()) {
    const name = `envoy_${metric.name.replace(/[^a-zA-Z0-9_]/g, '_')}`
    let family = families.get(name)
    if (family === undefined) {
      family = { name, help: metric.name, type: metric.kind, aggregator: 'sum', values: [] }
      families.set(name, family)
    }
    family.values.push({ value: metric.value, labels: envoyLabels(metric) })
  }
  const registry = new Registry()
  for (const family of families.values()) {
    registry.registerMetric({ ...family, get: async () => family, reset() {} } as never)
  }
  return registry.metrics()
}

function envoyLabels(metric: Metric): Record<string, string> {
  return Object.fromEntries(Object.entries(metric.labels).map(([key, value]) => [`envoy_${key}`, value]))
}
