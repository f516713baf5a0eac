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
 * `envoy_cluster_upstream_rq_total`. With `keepsPlainNames`, one without a dot, such as `istio_requests_total`, is a name of
 * Prometheus already, and is written as it is, with its labels; so are those of `unprefixed`. prom-client only writes the text;
 * nothing of it is touched while requests are counted.
 */
export async function prometheusText(
  source: MetricSource,
  prefixes: { namePrefix: string; labelPrefix: string; keepsPlainNames?: boolean },
  unprefixed: readonly MetricReading[] = [],
): Promise<string> {
  const families = new Map<string, ScrapedMetric>()
  const isWhole = (dotted: string) => prefixes.keepsPlainNames === true && !dotted.includes('.')
  const familyOf = (dotted: string, type: ScrapedMetric['type'], isNamed = isWhole(dotted)) => {
    const name = isNamed ? dotted : `${prefixes.namePrefix}${dotted.replace(/[^a-zA-Z0-9_]/g, '_')}`
    let family = families.get(name)
    if (family === undefined) {
      family = { name, help: dotted, type, aggregator: 'sum', values: [] }
      families.set(name, family)
    }
    return family
  }
  const labelsOf = ({ name, labels }: { name: string; labels: MetricLabels }) =>
    isWhole(name) ? labels : prefixedLabels(labels, prefixes.labelPrefix)
  for (const { name, labels, kind, value } of source.all()) {
    const [dotted, own] = byResponseClass(name, labels)
    familyOf(dotted, kind).values.push({ value, labels: labelsOf({ name: dotted, labels: own }) })
  }
  for (const { name, kind, labels, value } of unprefixed) familyOf(name, kind, true).values.push({ value, labels })
  for (const histogram of source.histograms()) {
    const family = familyOf(histogram.name, 'histogram')
    family.values.push(...bucketValues(family.name, histogram, labelsOf(histogram)))
  }
  // Loaded at the first scrape: it takes a sixth of the time that a proxy needs to start.
  const { Registry } = await import('prom-client')
  const registry = new Registry()
  for (const family of families.values()) {
    registry.registerMetric({ ...family, get: async () => family, reset() {} } as never)
  }
  return registry.metrics()
}

/** Of counters such as `http.downstream_rq_2xx`, one for each class of status, Envoy makes one family with the class as a label. */
function byResponseClass(name: string, labels: MetricLabels): [string, MetricLabels] {
  const found = /^(.+\..+_)([1-5])xx$/.exec(name)
  return found === null ? [name, labels] : [`${found[1]}xx`, { response_code_class: found[2] as string, ...labels }]
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
