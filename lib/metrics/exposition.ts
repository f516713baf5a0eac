import type { HistogramReading } from './histogram.ts'
import type { MetricLabels, MetricReading, MetricSource } from './store.ts'

/** What prom-client asks of a metric at a scrape. */
interface ScrapedMetric {
  name: string
  help: string
  type: 'counter' | 'gauge' | 'histogram'
  aggregator: 'sum'
  values: { value: number; labels: Record<string, string | number>; metricName?: string }[]
}

/**
 * The slots in Prometheus' text format: `cluster.upstream_rq_total` with prefix `envoy_` becomes
 * `envoy_cluster_upstream_rq_total`. prom-client only writes the text; nothing of it is touched while requests are
 * counted. `unprefixed` are named as they are.
 */
export async function prometheusText(
  source: MetricSource,
  prefixes: { namePrefix: string; labelPrefix: string },
  unprefixed: readonly MetricReading[] = [],
): Promise<string> {
  const families = new Map<string, ScrapedMetric>()
  const familyOf = (dotted: string, type: ScrapedMetric['type'], prefix = prefixes.namePrefix) => {
    const name = `${prefix}${dotted.replace(/[^a-zA-Z0-9_]/g, '_')}`
    let family = families.get(name)
    if (family === undefined) {
      family = { name, help: dotted, type, aggregator: 'sum', values: [] }
      families.set(name, family)
    }
    return family
  }
  for (const metric of source.all()) {
    const labels = prefixedLabels(metric.labels, prefixes.labelPrefix)
    familyOf(metric.name, metric.kind).values.push({ value: metric.value, labels })
  }
  for (const { name, kind, labels, value } of unprefixed) familyOf(name, kind, '').values.push({ value, labels })
  for (const histogram of source.histograms()) {
    const family = familyOf(histogram.name, 'histogram')
    family.values.push(...bucketValues(family.name, histogram, prefixedLabels(histogram.labels, prefixes.labelPrefix)))
  }
  // Loaded at the first scrape: it takes a sixth of the time that a proxy needs to start.
  const { Registry } = await import('prom-client')
  const registry = new Registry()
  for (const family of families.values()) {
    registry.registerMetric({ ...family, get: async () => family, reset() {} } as never)
  }
  return registry.metrics()
}

/** Cumulative, as the text format has them. */
function bucketValues(
  name: string,
  { bounds, counts, sum }: HistogramReading,
  labels: Record<string, string>,
): ScrapedMetric['values'] {
  let total = 0
  const buckets = counts.map((count, i) => {
    total += count
    return { metricName: `${name}_bucket`, labels: { le: bounds[i] ?? '+Inf', ...labels }, value: total }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: total },
  ]
}

function prefixedLabels(labels: MetricLabels, prefix: string): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [`${prefix}${key}`, value]))
}
