import { isDnsLabel } from '../../../config/names.ts'
import type { FieldPath } from '../../../config/object.ts'
import type { Report } from '../../../config/report.ts'
import { parseRequestHead } from '../../../proxy/http1/request-parser.ts'
import { FRAMING, RequestHead } from '../../../proxy/stream/message.ts'
import { requestBytes } from '../mesh/target.ts'
import { configTexts } from './config-texts.ts'
import { resolveExpectations } from './expectations.ts'
import type {
  CallModel,
  ChangeModel,
  ClientModel,
  FailureModel,
  RequestModel,
  ScenarioModel,
  ServiceModel,
} from './model.ts'
import type { CallSpec, ClientSpec, FailureSpec, RequestSpec, Scenario, ServiceSpec } from './schema.ts'
import { latencyOf, msOf } from './values.ts'

const DEFAULT_SLICES = 40
const DEFAULT_MAX_QUEUE = 1000
const DEFAULT_NETWORK_MS = 0.25
/** More are more than a machine has memory for. */
const MAX_REPLICAS = 100_000

/** Puts defaults in place and reports what the schema cannot say. */
export async function resolveScenario(
  file: string,
  scenario: Scenario,
  lineOf: (path: FieldPath) => number,
  report: Report,
): Promise<ScenarioModel> {
  const durationMs = msOf(scenario.duration, ['duration'], report, 1)
  const names = new Set<string>()
  for (const kind of ['services', 'clients'] as const) {
    scenario[kind].forEach(({ name, namespace = 'default' }, i) => {
      if (!isDnsLabel(name)) report.error([kind, i, 'name'], `"${name}" must be of lower-case letters, digits and "-"`)
      if (!isDnsLabel(namespace)) report.error([kind, i, 'namespace'], `"${namespace}" is no name of a namespace`)
      if (names.has(name))
        report.error([kind, i, 'name'], `"${name}" is the name of another service or client: take another`)
      names.add(name)
    })
  }
  const services = scenario.services.map((spec, i) => serviceOf(spec, ['services', i], report))
  checkReplicas(services, report)
  const byName = new Map(services.map((service) => [service.name, service]))
  checkCalls(scenario, byName, report)
  const clients = scenario.clients.map((spec, i) => clientOf(spec, ['clients', i], byName, durationMs, report))
  const where = { file, lineOf, report }
  const changes: ChangeModel[] = []
  for (const [i, change] of (scenario.changes ?? []).entries()) {
    const path = ['changes', i]
    changes.push({
      atMs: msOf(change.at, [...path, 'at'], report),
      config: await configTexts(change.apply ?? [], [...path, 'apply'], where),
      deleted: (change.delete ?? []).map(({ kind, namespace = 'default', name }) => `${kind}/${namespace}/${name}`),
      endpoints: (change.endpoints ?? []).map((one, j) => {
        checkService(one.service, one.version, byName, [...path, 'endpoints', j], report)
        const version = one.version ?? byName.get(one.service)?.versions[0]?.name ?? ''
        return { service: one.service, version, add: one.add ?? 0, remove: one.remove ?? 0 }
      }),
      line: lineOf(path),
    })
  }
  return {
    file,
    seed: scenario.seed ?? 1,
    durationMs,
    networkLatencyMs:
      scenario.networkLatency === undefined
        ? DEFAULT_NETWORK_MS
        : msOf(scenario.networkLatency, ['networkLatency'], report),
    slices: scenario.slices ?? DEFAULT_SLICES,
    config: await configTexts(scenario.config ?? [], ['config'], where),
    services,
    clients,
    changes,
    expectations: resolveExpectations(scenario, durationMs, lineOf, report),
  }
}

function serviceOf(spec: ServiceSpec, path: FieldPath, report: Report): ServiceModel {
  if (spec.replicas !== undefined && spec.versions !== undefined) {
    report.error([...path, 'replicas'], 'give replicas to each of the versions, and none to the service')
  }
  const versions = (spec.versions ?? [{ name: '', replicas: spec.replicas ?? 1 }]).map((version, i) => {
    const own = 'latency' in version && version.latency !== undefined
    const latency = own ? version.latency : spec.latency
    const at = own ? [...path, 'versions', i, 'latency'] : [...path, 'latency']
    if (latency === undefined) report.error(at, 'must be given: how long does the service work on a request?')
    return {
      name: version.name,
      replicas: version.replicas,
      latency: latencyOf(latency ?? { distribution: 'constant', mean: '1ms' }, at, report),
      concurrency:
        ('concurrency' in version ? version.concurrency : undefined) ?? spec.concurrency ?? Number.POSITIVE_INFINITY,
    }
  })
  const names = versions.map(({ name }) => name)
  if (new Set(names).size < names.length) report.error([...path, 'versions'], 'each version needs a name of its own')
  return {
    name: spec.name,
    namespace: spec.namespace ?? 'default',
    port: spec.port ?? 80,
    protocol: spec.protocol ?? 'http',
    versions,
    localities: spec.localities ?? [],
    maxQueue: spec.queue ?? DEFAULT_MAX_QUEUE,
    stopsWhenAbandoned: spec.whenAbandoned === 'stop',
    failures: (spec.failures ?? []).map((failure, i) => failureOf(failure, names, [...path, 'failures', i], report)),
    calls: (spec.calls ?? []).map((call, i) => callOf(call, [...path, 'calls', i], report)),
  }
}

function failureOf(spec: FailureSpec, versions: readonly string[], path: FieldPath, report: Report): FailureModel {
  const { kind, version, endpoints, fraction, value } = spec
  const fromMs = spec.from === undefined ? 0 : msOf(spec.from, [...path, 'from'], report)
  const toMs = spec.to === undefined ? Number.POSITIVE_INFINITY : msOf(spec.to, [...path, 'to'], report)
  if (fromMs >= toMs) report.error([...path, 'to'], 'must be after from')
  if (version !== undefined && !versions.includes(version))
    report.error([...path, 'version'], `there is no version "${version}"`)
  if (endpoints !== undefined && fraction !== undefined)
    report.error([...path, 'fraction'], 'give endpoints or fraction, not both')
  if (kind === 'slow' && value === undefined) report.error([...path, 'value'], 'must be given: how many times as long?')
  if (kind === 'status' && value !== undefined && !(Number.isInteger(value) && value >= 200 && value <= 599)) {
    report.error([...path, 'value'], 'must be a status of 200 to 599')
  }
  if (kind !== 'slow' && kind !== 'status' && value !== undefined)
    report.error([...path, 'value'], `means nothing for ${kind}`)
  return { kind, fromMs, toMs, version, endpoints, fraction, value: value ?? 503, rate: spec.rate ?? 1 }
}

function callOf(spec: CallSpec, path: FieldPath, report: Report): CallModel {
  const { service, count = 1, probability = 1, request, onFailure, failWith } = spec
  return {
    service,
    count,
    probability,
    request: requestOf(request, [...path, 'request'], report),
    failWith: onFailure === 'ignore' ? undefined : (failWith ?? 0),
  }
}

function requestOf(spec: RequestSpec = {}, path: FieldPath, report: Report): RequestModel {
  const { method = 'GET', path: target = '/', headers = {} } = spec
  const bytes = requestBytes(method, target, 'host', headers)
  const head = new RequestHead()
  const error = parseRequestHead(bytes, 0, bytes.length - 4, head)
  if (error !== undefined) report.error(path, `is no request that a proxy would read: ${error.detail}`)
  else if (method === 'CONNECT' || head.upgrade !== '') report.error(path, 'asks for a tunnel, which is not simulated')
  else if (head.framing !== FRAMING.none) report.error(path, 'has content, which is not simulated')
  return { method, path: target, headers }
}

function clientOf(
  spec: ClientSpec,
  path: FieldPath,
  services: ReadonlyMap<string, ServiceModel>,
  durationMs: number,
  report: Report,
): ClientModel {
  checkService(spec.service, undefined, services, path, report)
  const fromMs = spec.from === undefined ? 0 : msOf(spec.from, [...path, 'from'], report)
  const toMs = spec.to === undefined ? durationMs : msOf(spec.to, [...path, 'to'], report)
  if (fromMs >= toMs) report.error([...path, 'to'], 'must be after from')
  return {
    name: spec.name,
    namespace: spec.namespace ?? 'default',
    service: spec.service,
    ratePerSecond: spec.rate,
    arrivals: spec.arrivals ?? 'poisson',
    fromMs,
    toMs: Math.min(toMs, durationMs),
    timeoutMs:
      spec.timeout === undefined ? Number.POSITIVE_INFINITY : msOf(spec.timeout, [...path, 'timeout'], report, 1),
    proxies: spec.proxies ?? 1,
    locality: spec.locality ?? '',
    request: requestOf(spec.request, [...path, 'request'], report),
  }
}

function checkService(
  name: string,
  version: string | undefined,
  services: ReadonlyMap<string, ServiceModel>,
  path: FieldPath,
  report: Report,
): void {
  const service = services.get(name)
  if (service === undefined) {
    report.error([...path, 'service'], `there is no service "${name}"; there are ${[...services.keys()].join(', ')}`)
  } else if (version !== undefined && !service.versions.some((one) => one.name === version)) {
    report.error([...path, 'version'], `service ${name} has no version "${version}"`)
  }
}

function checkReplicas(services: readonly ServiceModel[], report: Report): void {
  const total = services.flatMap(({ versions }) => versions).reduce((sum, { replicas }) => sum + replicas, 0)
  if (total > MAX_REPLICAS)
    report.error(['services'], `have ${total} replicas together; at most ${MAX_REPLICAS} can be simulated`)
}

/** Services that call each other in a circle would never be done. */
function checkCalls(scenario: Scenario, services: ReadonlyMap<string, ServiceModel>, report: Report): void {
  const done = new Set<string>()
  const visit = (name: string, from: readonly string[]): void => {
    if (done.has(name)) return
    const index = scenario.services.findIndex((service) => service.name === name)
    scenario.services[index]?.calls?.forEach((call, i) => {
      const path = ['services', index, 'calls', i]
      const way = [...from, name]
      checkService(call.service, undefined, services, path, report)
      if (way.includes(call.service)) report.error(path, `goes in a circle: ${[...way, call.service].join(' -> ')}`)
      else visit(call.service, way)
    })
    done.add(name)
  }
  for (const { name } of scenario.services) visit(name, [])
}
