import type { AuthorizationPolicyBody } from '../../crds/kinds/authorization-policy.ts'
import type { DeploymentBody } from '../../crds/kinds/deployment.ts'
import type { DestinationRuleBody } from '../../crds/kinds/destination-rule.ts'
import type { EnvoyFilterBody } from '../../crds/kinds/envoy-filter.ts'
import type { GatewayBody } from '../../crds/kinds/gateway.ts'
import type { PodBody } from '../../crds/kinds/pod.ts'
import type { RateLimitBody } from '../../crds/kinds/rate-limit.ts'
import type { RequestAuthenticationBody } from '../../crds/kinds/request-authentication.ts'
import type { SecretBody } from '../../crds/kinds/secret.ts'
import type { ServiceBody } from '../../crds/kinds/service.ts'
import type { ServiceEntryBody } from '../../crds/kinds/service-entry.ts'
import type { SidecarBody } from '../../crds/kinds/sidecar.ts'
import type { TelemetryBody } from '../../crds/kinds/telemetry.ts'
import type { VirtualServiceBody } from '../../crds/kinds/virtual-service.ts'
import type { WorkloadEntryBody } from '../../crds/kinds/workload-entry.ts'
import { CODES, type Code } from '../codes.ts'
import type { Finding } from '../finding.ts'
import { DEFAULT_DOMAIN, hostWithin, isExportedTo, isWildcard } from '../hosts.ts'
import { type ConfigObject, type FieldPath, refOf } from '../object.ts'
import { formatPath } from '../report.ts'
import { isSuppressed } from '../suppress.ts'

/** The type of each kind's body. The sources have checked it. */
export interface Bodies {
  VirtualService: VirtualServiceBody
  DestinationRule: DestinationRuleBody
  Gateway: GatewayBody
  Sidecar: SidecarBody
  ServiceEntry: ServiceEntryBody
  WorkloadEntry: WorkloadEntryBody
  AuthorizationPolicy: AuthorizationPolicyBody
  RequestAuthentication: RequestAuthenticationBody
  EnvoyFilter: EnvoyFilterBody
  RateLimit: RateLimitBody
  Telemetry: TelemetryBody
  Service: ServiceBody
  Pod: PodBody
  Secret: SecretBody
  Deployment: DeploymentBody
  StatefulSet: DeploymentBody
  DaemonSet: DeploymentBody
}

/** Something that calls can go to, by its full host name: of a Service or a ServiceEntry. */
export interface KnownHost {
  host: string
  namespace: string
  exportTo: readonly string[] | undefined
  ports: readonly { number: number; protocol: string | undefined }[]
  /** Labels of the workloads that serve it; undefined when it selects none. */
  selector: Record<string, string> | undefined
  /** Labels of the endpoints that are written out; undefined when none are. */
  endpointLabels: readonly Record<string, string>[] | undefined
}

/** Something that runs: a pod, or what makes pods. */
export interface Workload {
  namespace: string
  labels: Record<string, string>
  serviceAccount: string
}

/** What the mesh's settings say, as far as it matters here. */
export interface AnalysisOptions {
  domain?: string
  rootNamespace?: string
  /** The mesh's own, and those by which it was known before. */
  trustDomains?: readonly string[]
  /** Of the wall clock; undefined where it is not to be asked what has expired. */
  nowMs?: number
}

const DEFAULT_ROOT_NAMESPACE = 'istio-system'
const DEFAULT_TRUST_DOMAINS = ['cluster.local']
/** Of a Pod that names none. */
const DEFAULT_SERVICE_ACCOUNT = 'default'

const POD_MAKERS = ['Deployment', 'StatefulSet', 'DaemonSet'] as const

/** All the objects to be looked at together, indexed, and the findings about them. */
export class AnalysisContext {
  readonly domain: string
  /** Where policies are the whole mesh's. */
  readonly rootNamespace: string
  readonly trustDomains: readonly string[]
  /** Of the wall clock; undefined where it is not to be asked what has expired. */
  readonly nowMs: number | undefined
  readonly findings: Finding[] = []
  readonly #byKind = new Map<string, ConfigObject[]>()
  readonly #hosts = new Map<string, KnownHost[]>()
  readonly #wildcards: KnownHost[] = []
  readonly workloads: readonly Workload[]
  readonly #workloadsByLabel = new Map<string, Workload[]>()
  readonly #servicesByLabel = new Map<string, ConfigObject<ServiceBody>[]>()

  constructor(objects: readonly ConfigObject[], options: AnalysisOptions = {}) {
    this.domain = options.domain ?? DEFAULT_DOMAIN
    this.rootNamespace = options.rootNamespace ?? DEFAULT_ROOT_NAMESPACE
    this.trustDomains = options.trustDomains ?? DEFAULT_TRUST_DOMAINS
    this.nowMs = options.nowMs
    for (const object of objects) {
      append(this.#byKind, object.kind, object)
    }
    for (const known of this.#knownHosts()) {
      append(this.#hosts, known.host, known)
      if (isWildcard(known.host)) this.#wildcards.push(known)
    }
    this.workloads = [
      ...this.all('Pod').map(({ metadata: { namespace, labels }, body }) => ({
        namespace,
        labels,
        serviceAccount: body.spec?.serviceAccountName || DEFAULT_SERVICE_ACCOUNT,
      })),
      ...this.podMakers().map((maker) => ({
        namespace: maker.metadata.namespace,
        labels: maker.body.spec.template.metadata?.labels ?? {},
        serviceAccount: maker.body.spec.template.spec?.serviceAccountName || DEFAULT_SERVICE_ACCOUNT,
      })),
    ]
    for (const workload of this.workloads) {
      for (const label of Object.entries(workload.labels)) append(this.#workloadsByLabel, label.join('='), workload)
    }
    for (const service of this.all('Service')) {
      const label = Object.entries(service.body.spec.selector ?? {})[0]
      if (label !== undefined) append(this.#servicesByLabel, label.join('='), service)
    }
  }

  all<Kind extends keyof Bodies>(kind: Kind): readonly ConfigObject<Bodies[Kind]>[] {
    return (this.#byKind.get(kind) ?? []) as unknown as readonly ConfigObject<Bodies[Kind]>[]
  }

  podMakers(): readonly ConfigObject<DeploymentBody>[] {
    return POD_MAKERS.flatMap((kind) => this.all(kind))
  }

  /** What a rule of `namespace` means by this full host name: exact names first, else wildcards that hold it. */
  findHosts(host: string, namespace: string): KnownHost[] {
    const visible = (known: KnownHost) => isExportedTo(known.exportTo, known.namespace, namespace)
    const exact = (this.#hosts.get(host) ?? []).filter(visible)
    if (exact.length > 0) return exact
    return this.#wildcards.filter((known) => hostWithin(host, known.host) && visible(known))
  }

  /** Every known host that a pattern such as `*.example.com` holds. */
  hostsWithin(pattern: string, namespace: string): KnownHost[] {
    const visible = (known: KnownHost) => isExportedTo(known.exportTo, known.namespace, namespace)
    return [...this.#hosts.values()].flat().filter((known) => hostWithin(known.host, pattern) && visible(known))
  }

  /** The workloads that a selector means, in one namespace or, without it, in all. */
  workloadsWith(selector: Readonly<Record<string, string>>, namespace?: string): Workload[] {
    const label = Object.entries(selector)[0]
    const candidates = label === undefined ? this.workloads : (this.#workloadsByLabel.get(label.join('=')) ?? [])
    return candidates.filter(
      (workload) => (namespace === undefined || workload.namespace === namespace) && selects(selector, workload.labels),
    )
  }

  /** The Services of a namespace that send calls to workloads with these labels. */
  servicesFor(labels: Readonly<Record<string, string>>, namespace: string): ConfigObject<ServiceBody>[] {
    return Object.entries(labels)
      .flatMap((label) => this.#servicesByLabel.get(label.join('=')) ?? [])
      .filter(
        (service) => service.metadata.namespace === namespace && selects(service.body.spec.selector ?? {}, labels),
      )
  }

  report(code: Code, object: ConfigObject<unknown>, path: FieldPath, message: string): void {
    if (isSuppressed(object.metadata.annotations, code)) return
    this.findings.push({
      code,
      severity: CODES[code].severity,
      object: refOf(object),
      file: object.origin.file,
      line: object.lineOf(path),
      message: path.length === 0 ? message : `${formatPath(path)}: ${message}`,
    })
  }

  *#knownHosts(): Generator<KnownHost> {
    for (const object of this.all('Service')) {
      const { name, namespace, annotations } = object.metadata
      yield {
        host: `${name}.${namespace}.svc.${this.domain}`,
        namespace,
        exportTo: annotations['networking.istio.io/exportTo']?.split(',').map((text) => text.trim()),
        ports: (object.body.spec.ports ?? []).map((port) => ({ number: port.port, protocol: undefined })),
        selector: object.body.spec.selector,
        endpointLabels: undefined,
      }
    }
    for (const object of this.all('ServiceEntry')) {
      const { spec } = object.body
      const ports = (spec.ports ?? []).map((port) => ({ number: port.number, protocol: port.protocol?.toUpperCase() }))
      const shared = {
        namespace: object.metadata.namespace,
        exportTo: spec.exportTo,
        ports,
        selector: spec.workloadSelector === undefined ? undefined : (spec.workloadSelector.labels ?? {}),
        endpointLabels: spec.endpoints?.map((endpoint) => endpoint.labels ?? {}),
      }
      for (const host of spec.hosts) yield { host, ...shared }
    }
  }
}

export function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [item])
  else list.push(item)
}

/** Whether an object with these labels is meant by a selector. An empty selector means every one. */
export function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value)
}
