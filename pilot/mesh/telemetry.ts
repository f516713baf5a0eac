import type { Origin } from '../../api/origin.ts'
import { type ConfigObject, originAt } from '../../config/object.ts'
import type {
  AccessLogging,
  CustomTag,
  Metrics,
  TelemetryBody,
  Tracing,
  WorkloadMode,
} from '../../crds/kinds/telemetry.ts'
import type { ExtensionProvider } from '../../crds/mesh-config.ts'
import { isEmptySelector, type Labels, labelsMatch } from '../registry/labels.ts'
import type { Generation } from './generation.ts'
import { meshLogFormat } from './log-formats.ts'
import type { MeshOptions } from './options.ts'

/**
 * What is told of a workload's calls, and to whom: what MeshConfig and the Telemetry objects of the mesh, of the namespace and
 * of the workload come to (istio.io/latest/docs/tasks/observability/telemetry; Istio's pilot/pkg/model/telemetry.go).
 */
export interface WorkloadTelemetry {
  /** Of calls that come to the workload. */
  readonly server: ModeTelemetry
  /** Of calls that leave it, and of all that pass a gateway. */
  readonly client: ModeTelemetry
  /** The objects behind it. */
  readonly objects: readonly ConfigObject<TelemetryBody>[]
}

export interface ModeTelemetry {
  readonly accessLogs: readonly AccessLogTarget[]
  readonly metrics: MetricsTarget
  /** The proxy knows the metrics of connections, too: it is one of ours. */
  readonly countsConnections?: boolean
  /** undefined: calls are not traced. */
  readonly tracing: TracingTarget | undefined
}

export interface AccessLogTarget {
  readonly provider: ExtensionProvider
  /** A CEL expression that must hold of a call; undefined for all. */
  readonly filter: string | undefined
  /** undefined where the mesh's configuration says so. */
  readonly origin: Origin | undefined
}

export interface MetricsTarget {
  /** Somebody wants metrics. */
  readonly isOn: boolean
  /** What is different from Istio's metrics and their labels, by the metric (`ALL_METRICS` first); later ones go over earlier. */
  readonly overrides: readonly MetricOverride[]
  readonly reportingInterval: string | undefined
}

export interface MetricOverride {
  /** A name of ISTIO_METRICS, or that of a metric of the user's own. */
  readonly metric: string
  readonly disabled: boolean
  /** A CEL expression for a label, or undefined where the label is not wanted. */
  readonly tags: Readonly<Record<string, string | undefined>>
}

export interface TracingTarget {
  /** undefined: contexts are passed on, and no span is told to anybody. */
  readonly provider: ExtensionProvider | undefined
  readonly samplingPercent: number
  readonly customTags: Readonly<Record<string, CustomTag>>
  readonly maxPathTagLength: number | undefined
  readonly usesRequestId: boolean
  readonly hasIstioTags: boolean
  readonly origin: Origin | undefined
}

/** The providers that every mesh has, by Istio's names. */
function builtinProviders(options: MeshOptions): readonly ExtensionProvider[] {
  return [
    { name: 'prometheus', prometheus: {} },
    { name: 'envoy', envoyFileAccessLog: { path: '/dev/stdout', logFormat: meshLogFormat(options) } },
  ]
}
const DEFAULT_METRICS = ['prometheus']
const DEFAULT_SAMPLING_PERCENT = 1

type Mode = Exclude<WorkloadMode, 'CLIENT_AND_SERVER'>
type Telemetry = ConfigObject<TelemetryBody>

export function workloadTelemetry(namespace: string, labels: Labels, generation: Generation): WorkloadTelemetry {
  const objects = applicable(generation.telemetries, namespace, labels, generation.options.rootNamespace)
  const of = (mode: Mode): ModeTelemetry => ({
    accessLogs: accessLogsOf(objects, mode, generation.options),
    metrics: metricsOf(objects, mode, generation.options),
    tracing: tracingOf(objects, mode, generation.options),
  })
  return { server: of('SERVER'), client: of('CLIENT'), objects }
}

/** The mesh's, the namespace's and the workload's own, one of each at most: the oldest. */
function applicable(all: readonly Telemetry[], namespace: string, labels: Labels, root: string): readonly Telemetry[] {
  const known = all.filter(({ body: { spec } }) => spec.targetRef === undefined && spec.targetRefs === undefined)
  const selectorOf = (object: Telemetry) => object.body.spec.selector?.matchLabels
  const ofNamespace = (name: string) => known.filter(({ metadata }) => metadata.namespace === name)
  const whole = (name: string) => ofNamespace(name).find((object) => isEmptySelector(selectorOf(object)))
  const own = ofNamespace(namespace).find(
    (object) => !isEmptySelector(selectorOf(object)) && labelsMatch(selectorOf(object), labels),
  )
  const levels = [whole(root), namespace === root ? undefined : whole(namespace), own]
  return levels.filter((object) => object !== undefined)
}

function isFor(mode: Mode, match: { readonly mode?: WorkloadMode } | undefined): boolean {
  const wanted = match?.mode ?? 'CLIENT_AND_SERVER'
  return wanted === 'CLIENT_AND_SERVER' || wanted === mode
}

function providerOf(name: string, options: MeshOptions): ExtensionProvider | undefined {
  const configured = options.extensionProviders.find((provider) => provider.name === name)
  return configured ?? builtinProviders(options).find((provider) => provider.name === name)
}

function namesOf(providers: readonly { readonly name: string }[] = []): string[] {
  return providers.map(({ name }) => name)
}

// --- access logs ---

const ACCESS_LOGGERS = ['envoyFileAccessLog', 'envoyHttpAls', 'envoyTcpAls', 'envoyOtelAls'] as const

/** Who names providers takes the place of those of the level above; who names none speaks of the same ones. */
function accessLogsOf(objects: readonly Telemetry[], mode: Mode, options: MeshOptions): AccessLogTarget[] {
  const levels = objects.filter(({ body }) => (body.spec.accessLogging ?? []).length > 0)
  let names = [...(options.defaultProviders.accessLogging ?? [])]
  const chosen = new Map<string, Pick<AccessLogTarget, 'filter' | 'origin'>>()
  if (levels.length === 0) {
    if (options.accessLogFile !== '') return [meshFile(options)]
    for (const name of names) chosen.set(name, { filter: undefined, origin: undefined })
  }
  for (const object of levels) {
    const entries = (object.body.spec.accessLogging ?? []).filter(({ match }) => isFor(mode, match))
    const named = [...new Set(entries.flatMap(({ providers }) => namesOf(providers)))]
    if (named.length > 0) {
      names = named
      for (const name of chosen.keys()) if (!names.includes(name)) chosen.delete(name)
    }
    for (const entry of entries) applyAccessLogging(entry, names, originAt(object, ['spec', 'accessLogging']), chosen)
  }
  return [...chosen].flatMap(([name, { filter, origin }]) => {
    const provider = providerOf(name, options)
    const isLogger = provider !== undefined && ACCESS_LOGGERS.some((kind) => provider[kind] !== undefined)
    return isLogger ? [{ provider, filter, origin }] : []
  })
}

function applyAccessLogging(
  { providers, disabled, filter }: AccessLogging,
  names: readonly string[],
  origin: Origin,
  chosen: Map<string, Pick<AccessLogTarget, 'filter' | 'origin'>>,
): void {
  const own = namesOf(providers)
  for (const name of own.length > 0 ? own : names) {
    if (disabled === true) chosen.delete(name)
    else chosen.set(name, { filter: filter?.expression, origin })
  }
}

/** MeshConfig's accessLogFile, accessLogFormat and accessLogEncoding. */
function meshFile(options: MeshOptions): AccessLogTarget {
  return {
    provider: { name: 'envoy', envoyFileAccessLog: { path: options.accessLogFile, logFormat: meshLogFormat(options) } },
    filter: undefined,
    origin: undefined,
  }
}

// --- metrics ---

function metricsOf(objects: readonly Telemetry[], mode: Mode, options: MeshOptions): MetricsTarget {
  let names: readonly string[] = options.defaultProviders.metrics ?? DEFAULT_METRICS
  let reportingInterval: string | undefined
  const overrides = new Map<string, MetricOverride>()
  for (const { body } of objects) {
    const entries = body.spec.metrics ?? []
    const named = entries.flatMap(({ providers }) => namesOf(providers))
    if (named.length > 0) names = named
    for (const entry of entries) {
      reportingInterval = entry.reportingInterval ?? reportingInterval
      for (const override of overridesFor(entry, mode)) addOverride(override, overrides)
    }
  }
  const isOn = names.some((name) => providerOf(name, options)?.prometheus !== undefined)
  const ordered = [...overrides.values()].sort((a, b) => Number(isAll(b)) - Number(isAll(a)))
  return { isOn, overrides: ordered, reportingInterval }
}

const isAll = ({ metric }: MetricOverride) => metric === 'ALL_METRICS'

function overridesFor({ overrides = [] }: Metrics, mode: Mode): (MetricOverride & { saysDisabled: boolean })[] {
  return overrides
    .filter(({ match }) => isFor(mode, match))
    .map(({ match, disabled, tagOverrides = {} }) => ({
      metric: match?.customMetric ?? match?.metric ?? 'ALL_METRICS',
      disabled: disabled ?? false,
      saysDisabled: disabled !== undefined,
      tags: Object.fromEntries(
        Object.entries(tagOverrides).map(([name, { operation, value }]) => [
          name,
          operation === 'REMOVE' ? undefined : value,
        ]),
      ),
    }))
}

function addOverride(
  { saysDisabled, ...override }: MetricOverride & { saysDisabled: boolean },
  overrides: Map<string, MetricOverride>,
): void {
  const before = overrides.get(override.metric)
  const disabled = saysDisabled || before === undefined ? override.disabled : before.disabled
  overrides.set(override.metric, { ...override, disabled, tags: { ...before?.tags, ...override.tags } })
}

// --- tracing ---

const TRACERS = ['zipkin', 'opentelemetry'] as const

/** Field by field the nearest that says something. */
function tracingOf(objects: readonly Telemetry[], mode: Mode, options: MeshOptions): TracingTarget | undefined {
  const merged: Tracing = {}
  let origin: Origin | undefined
  for (const object of objects) {
    for (const entry of object.body.spec.tracing ?? []) {
      if (!isFor(mode, entry.match)) continue
      const { match: _, ...said } = entry
      Object.assign(merged, said)
      origin = originAt(object, ['spec', 'tracing'])
    }
  }
  if (!options.enableTracing && origin === undefined) return undefined
  const name = merged.providers?.[0]?.name ?? options.defaultProviders.tracing?.[0]
  const provider = name === undefined ? undefined : providerOf(name, options)
  const isTracer = provider !== undefined && TRACERS.some((kind) => provider[kind] !== undefined)
  if (!isTracer) return undefined
  return {
    provider: merged.disableSpanReporting === true ? undefined : provider,
    samplingPercent: merged.randomSamplingPercentage ?? options.tracing.sampling ?? DEFAULT_SAMPLING_PERCENT,
    customTags: merged.customTags ?? options.tracing.customTags ?? {},
    maxPathTagLength: options.tracing.maxPathTagLength,
    usesRequestId: merged.useRequestIdForTraceSampling ?? true,
    hasIstioTags: merged.enableIstioTags ?? true,
    origin,
  }
}
