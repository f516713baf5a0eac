import type { SeriesTable } from './series.ts'

export interface ExposedMetric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labelNames: readonly string[]
  readonly bounds: readonly number[] | undefined
  readonly table: SeriesTable
}

interface Line {
  value: number
  labels: Record<string, string | number>
  metricName?: string
}

/** Prometheus' text format. prom-client only writes the text. */
export async function expose(metrics: Iterable<ExposedMetric>): Promise<string> {
  const { Registry } = await import('prom-client')
  const registry = new Registry()
  for (const { name, help, type, labelNames, bounds, table } of metrics) {
    const values = table.all().flatMap((series): Line[] => {
      const labels = Object.fromEntries(labelNames.map((label, i) => [label, series.labels[i] ?? '']))
      if (series.buckets === undefined || bounds === undefined) return [{ value: series.value, labels }]
      let count = 0
      const lines = series.buckets.map((inBucket, i): Line => {
        count += inBucket
        return { value: count, labels: { le: bounds[i] ?? '+Inf', ...labels }, metricName: `${name}_bucket` }
      })
      lines.push({ value: series.value, labels, metricName: `${name}_sum` })
      lines.push({ value: count, labels, metricName: `${name}_count` })
      return lines
    })
    const family = { name, help, type, aggregator: 'sum', values }
    registry.registerMetric({ ...family, get: async () => family, reset() {} } as never)
  }
  return registry.metrics()
}
