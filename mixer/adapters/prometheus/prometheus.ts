import { type Static, Type } from '@sinclair/typebox'
import { parseDurationMs } from '../../../crds/duration.ts'
import { durationOrZero, int32, message, oneOf, strings } from '../../../crds/schema.ts'
import type { Timer } from '../../../lib/clock.ts'
import type { Adapter, Handler, HandlerEnvironment, Instance } from '../adapter.ts'
import { valuesOf, valueText } from '../value-text.ts'
import { type ExposedMetric, expose } from './exposition.ts'
import { SeriesTable, seriesKey } from './series.ts'

const Buckets = message({
  linearBuckets: Type.Optional(
    message({ numFiniteBuckets: int32(), width: Type.Number(), offset: Type.Optional(Type.Number()) }),
  ),
  exponentialBuckets: Type.Optional(
    message({ numFiniteBuckets: int32(), growthFactor: Type.Number(), scale: Type.Number() }),
  ),
  explicitBuckets: Type.Optional(message({ bounds: Type.Array(Type.Number()) })),
})
type Buckets = Static<typeof Buckets>

const MetricInfo = message({
  instanceName: Type.String({ description: 'name.kind.namespace of the instance.' }),
  name: Type.Optional(Type.String()),
  namespace: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  kind: Type.Optional(oneOf(['UNSPECIFIED', 'GAUGE', 'COUNTER', 'DISTRIBUTION'])),
  labelNames: Type.Optional(strings()),
  buckets: Type.Optional(Buckets),
})
type MetricInfo = Static<typeof MetricInfo>

const Params = message({
  metrics: Type.Optional(Type.Array(MetricInfo)),
  metricsExpirationPolicy: Type.Optional(
    message({
      metricsExpiryDuration: Type.Optional(durationOrZero()),
      expiryCheckIntervalDuration: Type.Optional(durationOrZero()),
    }),
  ),
})
type Params = Static<typeof Params>

/** Of one metric. Beyond, all goes into one series whose labels say so. */
export const MAX_SERIES = 10_000
const MAX_BUCKETS = 1_000
/** prom-client's own, in seconds. */
const DEFAULT_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/** Counts and measures, for Prometheus to scrape at the mixer's /metrics. */
export const prometheus: Adapter<Params> = {
  name: 'prometheus',
  templates: ['metric'],
  params: Params,

  validate({ metrics = [] }, error) {
    const names = new Set<string>()
    metrics.forEach((metric, i) => {
      const name = nameOf(metric)
      if (!METRIC_NAME.test(name)) error(['metrics', i, 'name'], `"${name}" is no name of a metric`)
      if (names.has(name)) error(['metrics', i, 'name'], `"${name}" is there twice`)
      names.add(name)
      metric.labelNames?.forEach((label, at) => {
        if (!LABEL_NAME.test(label)) error(['metrics', i, 'labelNames', at], `"${label}" is no name of a label`)
      })
      const bounds = boundsOf(metric.buckets)
      if (bounds.length > MAX_BUCKETS) error(['metrics', i, 'buckets'], `at most ${MAX_BUCKETS} buckets`)
      if (bounds.some((bound, at) => at > 0 && bound <= (bounds[at - 1] as number))) {
        error(['metrics', i, 'buckets'], 'bounds must rise')
      }
    })
  },

  open: (params, environment) => new PrometheusHandler(params, environment),
}

function nameOf({ name = '', namespace = 'istio', instanceName }: MetricInfo): string {
  const own = name || (instanceName.split('.')[0] ?? '').replace(/[^a-zA-Z0-9_]/g, '_')
  return namespace === '' ? own : `${namespace}_${own}`
}

function boundsOf(buckets: Buckets | undefined): readonly number[] {
  const { linearBuckets: linear, exponentialBuckets: exponential, explicitBuckets: explicit } = buckets ?? {}
  if (explicit !== undefined) return explicit.bounds
  if (linear !== undefined) {
    const { numFiniteBuckets, width, offset = 0 } = linear
    return Array.from({ length: Math.min(numFiniteBuckets, MAX_BUCKETS) + 1 }, (_unused, i) => offset + i * width)
  }
  if (exponential !== undefined) {
    const { numFiniteBuckets, growthFactor, scale } = exponential
    return Array.from(
      { length: Math.min(numFiniteBuckets, MAX_BUCKETS) + 1 },
      (_unused, i) => scale * growthFactor ** i,
    )
  }
  return DEFAULT_BOUNDS
}

class PrometheusHandler implements Handler {
  readonly #environment: HandlerEnvironment
  readonly #byInstance = new Map<string, ExposedMetric[]>()
  #timer: Timer | undefined

  constructor({ metrics = [], metricsExpirationPolicy: expiry }: Params, environment: HandlerEnvironment) {
    this.#environment = environment
    const lists = new Map<string, readonly string[]>()
    for (const metric of metrics) {
      // Metrics with the same labels share the list of them.
      const { labelNames = [] } = metric
      const text = JSON.stringify(labelNames)
      lists.set(text, lists.get(text) ?? labelNames)
      const exposed = exposedOf(metric, lists.get(text) as readonly string[])
      const known = this.#byInstance.get(metric.instanceName)
      if (known === undefined) this.#byInstance.set(metric.instanceName, [exposed])
      else known.push(exposed)
    }
    const expiryMs = parseDurationMs(expiry?.metricsExpiryDuration ?? '0s') ?? 0
    const everyMs = parseDurationMs(expiry?.expiryCheckIntervalDuration ?? '0s') || expiryMs / 2
    if (expiryMs > 0) this.#expireEvery(everyMs, expiryMs)
  }

  report(instances: readonly Instance[]): void {
    const nowMs = this.#environment.clock.nowMs()
    // Metrics of one call mostly have the same dimensions, made once.
    let madeOf: object | undefined
    let madeFor: readonly string[] | undefined
    let labels: readonly string[] = []
    let key = ''
    for (const instance of instances) {
      const value = Number(instance.values.value)
      const dimensions = valuesOf(instance, 'dimensions')
      for (const { type, labelNames, table } of this.#byInstance.get(instance.key) ?? []) {
        if (dimensions !== madeOf || labelNames !== madeFor) {
          labels = labelNames.map((label) => valueText(dimensions[label]))
          key = seriesKey(labels)
          madeOf = dimensions
          madeFor = labelNames
        }
        const before = table.overflowed
        const series = table.at(labels, key, nowMs)
        if (table.overflowed > before) this.#environment.metrics.counter('prometheus_series_overflow_total').inc()
        if (type === 'histogram') table.observe(series, value)
        else if (type === 'gauge') series.value = value
        else series.value += value
      }
    }
  }

  exposition(): Promise<string> {
    return expose([...this.#byInstance.values()].flat())
  }

  close(): void {
    this.#timer?.cancel()
  }

  #expireEvery(everyMs: number, expiryMs: number): void {
    const { clock } = this.#environment
    this.#timer = clock.setTimer(everyMs, () => {
      for (const metrics of this.#byInstance.values()) {
        for (const { table } of metrics) table.expire(clock.nowMs() - expiryMs)
      }
      this.#expireEvery(everyMs, expiryMs)
    })
  }
}

function exposedOf(metric: MetricInfo, labelNames: readonly string[]): ExposedMetric {
  const { kind, description } = metric
  const type = kind === 'DISTRIBUTION' ? 'histogram' : kind === 'COUNTER' ? 'counter' : 'gauge'
  const bounds = type === 'histogram' ? boundsOf(metric.buckets) : undefined
  const name = nameOf(metric)
  const table = new SeriesTable(labelNames.length, MAX_SERIES, bounds)
  return { name, help: description || name, type, labelNames, bounds, table }
}
