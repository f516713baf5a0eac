import type { HistogramReading } from '../../../lib/metrics/histogram.ts'
import { quantile } from '../../../lib/metrics/quantile.ts'
import { byName, type MetricLabels, type MetricSource } from '../../../lib/metrics/store.ts'
import { compileSafeRegex } from '../../../lib/safe-regex.ts'
import type { AdminReply } from './routes.ts'

/** Those that Envoy shows, in per cent. */
const QUANTILES = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]

interface Selected {
  readonly stats: readonly { readonly name: string; readonly value: number }[]
  readonly histograms: readonly { readonly name: string; readonly values: readonly number[] }[]
}

/**
 * A metric's name as Envoy writes it: label values stand behind the first part of the name, as in
 * `cluster.<cluster_name>.upstream_rq_total`.
 */
export function flatName(metric: { readonly name: string; readonly labels: MetricLabels }): string {
  const dot = metric.name.indexOf('.')
  const values = Object.values(metric.labels).join('.')
  if (values === '' || dot < 0) return metric.name
  return `${metric.name.slice(0, dot)}.${values}${metric.name.slice(dot)}`
}

/** Envoy's page of all that it counts: `filter` is a pattern that a part of a name matches, `usedonly` leaves out what is 0. */
export function statsPage(source: MetricSource, query: URLSearchParams): AdminReply {
  const filter = compileSafeRegex(query.get('filter') ?? '')
  if (!filter.ok) return { status: 400, body: `Invalid re2 regex: ${filter.error}\n` }
  const matches = ({ name }: { name: string }) => filter.regex.search(name)
  const selected: Selected = {
    stats: source
      .all()
      .map((metric) => ({ name: flatName(metric), value: metric.value }))
      .filter((stat) => matches(stat) && (!query.has('usedonly') || stat.value !== 0))
      .sort(byName),
    histograms: source
      .histograms()
      .map((histogram) => ({ name: flatName(histogram), values: quantilesOf(histogram) }))
      .filter(matches)
      .sort(byName),
  }
  if (query.get('format') !== 'json') return { body: asText(selected) }
  return { contentType: 'application/json', body: `${JSON.stringify(asJson(selected), null, 1)}\n` }
}

function quantilesOf(histogram: HistogramReading): number[] {
  return QUANTILES.map((percent) => Number(quantile(histogram, percent / 100).toPrecision(6)))
}

/** Of histograms Envoy writes those of the last interval, which we have none of, and those since the start. */
function asText({ stats, histograms }: Selected): string {
  const lines = [
    ...stats.map(({ name, value }) => `${name}: ${value}`),
    ...histograms.map(({ name, values }) => {
      const quantiles = values.map((value, i) => `P${QUANTILES[i]}(nan,${Number.isNaN(value) ? 'nan' : value})`)
      return `${name}: ${quantiles.join(' ')}`
    }),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function asJson({ stats, histograms }: Selected): unknown {
  if (histograms.length === 0) return { stats }
  const computed_quantiles = histograms.map(({ name, values }) => ({
    name,
    // NaN becomes null, as Envoy writes it.
    values: values.map((cumulative) => ({ interval: null, cumulative })),
  }))
  return { stats: [...stats, { histograms: { supported_quantiles: QUANTILES, computed_quantiles } }] }
}
