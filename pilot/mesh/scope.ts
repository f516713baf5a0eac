import type { NodeType } from '../../api/node.ts'
import { MESH_GATEWAY } from '../../config/hosts.ts'
import { type ConfigObject, objectKey, refOf } from '../../config/object.ts'
import type { SidecarBody, SidecarSpec } from '../../crds/kinds/sidecar.ts'
import type { Memo } from '../memo.ts'
import type { Labels } from '../registry/labels.ts'
import type { Service } from '../registry/service.ts'
import { destinationHosts } from './destinations.ts'
import { providerHosts } from './extension-providers.ts'
import { type GatewayPort, mergeGateways, selectGateways } from './gateway.ts'
import type { Generation } from './generation.ts'
import type { ServiceInstance } from './instances.ts'
import { localityNeeds } from './locality-setting.ts'
import { type WorkloadPolicy, workloadPolicy } from './mixer-policy.ts'
import { type WorkloadReports, workloadReports } from './mixer-reports.ts'
import type { ProxyNode } from './node.ts'
import { type MtlsModes, mtlsModes } from './peer-authentication.ts'
import { type ServiceScope, scopeOf } from './service-scope.ts'
import { type EgressScope, egressScopes, selectSidecar } from './sidecar.ts'
import { type WorkloadTelemetry, workloadTelemetry } from './telemetry.ts'
import { type WorkloadLimits, workloadLimits } from './workload-limits.ts'
import { type WorkloadSecurity, workloadSecurity } from './workload-security.ts'

/**
 * All of a proxy that decides what it is given, and nothing else: proxies with the same key get the same resources.
 */
export interface NodeScope {
  readonly key: string
  readonly type: NodeType
  readonly namespace: string
  /** Only the labels that some rule asks for. */
  readonly labels: Labels
  /** Where it runs, as far as some rule makes a difference of it. Alike for alike places. */
  readonly place: { readonly locality: string; readonly labels: Labels }
  /** Whether the workload's connections are redirected to the proxy, so that it needs the catch-all listeners. */
  readonly captured: boolean
  /** The workload's own address; '' unless a listener needs it. */
  readonly address: string
  readonly sidecar: ConfigObject<SidecarBody> | undefined
  readonly outboundTrafficPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY'
  /** What the workload serves; its ports are opened by the inbound listener. */
  readonly instances: readonly ServiceInstance[]
  /** How the workload is called; a gateway's servers say that themselves. */
  readonly mtls: MtlsModes
  /** Who may call it, and whose tokens it believes. */
  readonly security: WorkloadSecurity
  /** How much it may be called, and call. */
  readonly limits: WorkloadLimits
  /** What is told of its calls, and to whom. */
  readonly telemetry: WorkloadTelemetry
  /** What is told of it to the mixer that is asked about its calls; undefined for none. */
  readonly policy: WorkloadPolicy | undefined
  /** And to the mixer that is told of them afterwards. */
  readonly reports: WorkloadReports | undefined
  /** Its proxy is a Lateen. */
  readonly isOurs: boolean
  /** Empty for gateways. */
  readonly egress: readonly EgressScope[]
  /** Empty for sidecars. */
  readonly gatewayPorts: readonly GatewayPort[]
  /** Every service that a cluster is made for. */
  readonly services: ServiceScope
}

/** Worked out again for a node only when something that scopes are made of has changed. */
export function scopeOfNode(node: ProxyNode, generation: Generation, memo: Memo): NodeScope {
  const { options, registry, virtualServices, destinationRules, gateways, sidecars } = generation
  const instances = memo.list(
    'instances',
    generation.instances.of(node).map((i) => instance(i, memo)),
  )
  const { peerAuthentications, requestAuthentications, authorizationPolicies } = generation
  const limits = [generation.envoyFilters, generation.rateLimits, generation.telemetries]
  const policies = [peerAuthentications, requestAuthentications, authorizationPolicies, ...limits]
  const rules = [virtualServices, destinationRules, gateways, sidecars, ...policies]
  const inputs = [node, instances, options, registry.services, generation.mixer, generation.reports, ...rules]
  const make = node.type === 'router' ? gatewayScope : sidecarScope
  return memo.get('scope of node', inputs, () => make(node, instances, generation, memo))
}

function sidecarScope(
  node: ProxyNode,
  served: readonly ServiceInstance[],
  generation: Generation,
  memo: Memo,
): NodeScope {
  const { options, registry, virtualServices } = generation
  const sidecar = selectSidecar(generation.sidecars, node.namespace, node.labels, options.rootNamespace)
  const spec = sidecar?.body.spec
  const captured = node.interception === undefined ? !opensItsOwnPorts(spec) : node.interception !== 'NONE'
  const identity = {
    type: node.type,
    isOurs: node.isOurs,
    namespace: node.namespace,
    labels: relevantLabels(node.labels, generation),
    place: relevantPlace(node, generation, memo),
    captured,
    address: needsAddress(spec, captured) ? (node.addresses[0] ?? '') : '',
    // Only redirected connections need to be told apart by all ports that the workload serves.
    instances: captured
      ? served
      : served.filter(({ port }) => spec?.ingress?.some((listener) => listener.port.number === port.number)),
    mtls: mtlsModes(
      generation.peerAuthentications,
      node.namespace,
      node.labels,
      options.rootNamespace,
      options.defaultMtlsMode,
    ),
  }
  const security = workloadSecurity(node.namespace, node.labels, generation)
  const limits = workloadLimits(node.namespace, node.labels, generation)
  const telemetry = workloadTelemetry(node.namespace, node.labels, generation)
  const rulesOfCalls = [...security.requestAuthentications, ...security.authorizationPolicies, ...limits]
  const policies = [...rulesOfCalls, ...telemetry.objects]
  const policy = workloadPolicy(generation.mixer, node.labels, served)
  const reports = workloadReports(generation.reports, node.labels, served)
  const told = [policy, reports]
    .map((to) => (to === undefined ? '' : ` ${JSON.stringify([to.labels, to.served])}`))
    .join(';')
  const key = scopeKey(identity, [...(sidecar === undefined ? [] : [sidecar]), ...policies]) + told
  const rules = virtualServices.boundTo(MESH_GATEWAY, node.namespace)
  const mixers = [generation.mixer, generation.reports]
  const inputs = [key, sidecar, rules, registry.services, options, ...mixers, ...policies, ...identity.instances]
  return memo.get('sidecar scope', inputs, () => {
    const visible = generation.visibleServices(node.namespace)
    const egress = egressScopes(sidecar, node.namespace, visible, rules, registry.services, memo)
    return {
      ...identity,
      key,
      security,
      limits,
      telemetry,
      policy,
      reports,
      sidecar,
      outboundTrafficPolicy:
        spec?.outboundTrafficPolicy === undefined
          ? options.outboundTrafficPolicy
          : policyMode(spec.outboundTrafficPolicy),
      egress,
      gatewayPorts: [],
      services: withHosts(
        callableServices(egress, visible, memo),
        [...providerHosts(security, telemetry, options), ...mixers.flatMap((mixer) => mixer?.host ?? [])],
        visible,
        memo,
      ),
    }
  })
}

function gatewayScope(
  node: ProxyNode,
  served: readonly ServiceInstance[],
  generation: Generation,
  memo: Memo,
): NodeScope {
  const { options, registry } = generation
  const selected = selectGateways(generation.gateways, node.labels)
  const targets = new Map(served.map(({ port, targetPort }) => [port.number, targetPort]))
  const identity = {
    type: node.type,
    isOurs: node.isOurs,
    namespace: node.namespace,
    labels: relevantLabels(node.labels, generation),
    place: relevantPlace(node, generation, memo),
    captured: false,
    address: '',
    instances: [],
    mtls: NO_MTLS,
  }
  const security = workloadSecurity(node.namespace, node.labels, generation)
  const limits = workloadLimits(node.namespace, node.labels, generation)
  const telemetry = workloadTelemetry(node.namespace, node.labels, generation)
  const rulesOfCalls = [...security.requestAuthentications, ...security.authorizationPolicies, ...limits]
  const policies = [...rulesOfCalls, ...telemetry.objects]
  const key = `${scopeKey(identity, [...selected, ...policies])} ${JSON.stringify([...targets])}`
  return memo.get('gateway scope', [key, registry.services, options, ...policies, ...selected], () => ({
    ...identity,
    key,
    security,
    limits,
    telemetry,
    policy: undefined,
    reports: undefined,
    sidecar: undefined,
    outboundTrafficPolicy: options.outboundTrafficPolicy,
    egress: [],
    gatewayPorts: mergeGateways(selected, (port) => targets.get(port) ?? port),
    services: generation.visibleServices(node.namespace),
  }))
}

const NO_MTLS: MtlsModes = { workload: 'DISABLE', ports: {} }

type ScopeIdentity = Pick<
  NodeScope,
  'type' | 'isOurs' | 'namespace' | 'labels' | 'place' | 'captured' | 'address' | 'instances' | 'mtls'
>

/** `objects` are the Sidecar or the Gateways that apply. */
function scopeKey(identity: ScopeIdentity, objects: readonly ConfigObject<unknown>[]): string {
  const instances = identity.instances.map((i) => `${i.service.key} ${i.port.number} ${i.targetPort}`)
  return JSON.stringify([{ ...identity, instances }, objects.map((object) => objectKey(refOf(object)))])
}

function instance({ service, port, targetPort }: ServiceInstance, memo: Memo): ServiceInstance {
  return memo.get('instance', [service, port, targetPort], () => ({ service, port, targetPort }))
}

/** A Sidecar whose listeners have addresses of their own makes the proxy one that clients call by address. */
function opensItsOwnPorts(spec: SidecarSpec | undefined): boolean {
  const listeners = [...(spec?.egress ?? []), ...(spec?.ingress ?? [])]
  return listeners.some(
    ({ port, bind, captureMode }) =>
      captureMode === 'NONE' || (captureMode !== 'IPTABLES' && port !== undefined && bind !== undefined && bind !== ''),
  )
}

function needsAddress(spec: SidecarSpec | undefined, captured: boolean): boolean {
  return (spec?.ingress ?? []).some(
    ({ bind, captureMode, defaultEndpoint }) =>
      /^(0\.0\.0\.0|\[::\]):/.test(defaultEndpoint ?? '') ||
      ((bind === undefined || bind === '') && (!captured || captureMode === 'NONE')),
  )
}

function policyMode({ mode }: NonNullable<SidecarSpec['outboundTrafficPolicy']>): NodeScope['outboundTrafficPolicy'] {
  // An OutboundTrafficPolicy without a mode is REGISTRY_ONLY: that is the enum's zero.
  return mode === undefined || mode === 'REGISTRY_ONLY' ? 'REGISTRY_ONLY' : 'ALLOW_ANY'
}

function relevantLabels(labels: Labels, { virtualServices, destinationRules }: Generation): Labels {
  const relevant: Record<string, string> = {}
  for (const key of [...virtualServices.sourceLabelKeys, ...destinationRules.selectorKeys].sort()) {
    if (labels[key] !== undefined) relevant[key] = labels[key]
  }
  return relevant
}

function relevantPlace({ locality, labels }: ProxyNode, generation: Generation, memo: Memo): NodeScope['place'] {
  const { destinationRules, options } = generation
  const needs = memo.get('locality needs', [destinationRules, options], () =>
    localityNeeds(destinationRules.all, options.localityLbSetting),
  )
  return memo.intern('place', {
    locality: needs.locality ? locality : '',
    labels: Object.fromEntries(needs.labelKeys.flatMap((key) => (labels[key] ? [[key, labels[key]]] : []))),
  })
}

/** What the egress listeners import, and what the imported VirtualServices send to. */
function callableServices(egress: readonly EgressScope[], visible: ServiceScope, memo: Memo): ServiceScope {
  const only = egress[0]
  if (egress.length === 1 && only !== undefined && only.services === visible) return visible
  const byHost = new Map<string, Service>()
  for (const { services } of egress) {
    for (const service of services.services) {
      const known = byHost.get(service.host)
      byHost.set(service.host, known === undefined ? service : withPorts(known, service, memo))
    }
  }
  for (const host of destinationHosts(egress.flatMap((scope) => scope.virtualServices))) {
    const service = visible.byHost.get(host)
    if (service !== undefined) byHost.set(host, service)
  }
  return scopeOf([...byHost.values()], memo)
}

/** What the proxy itself calls is there whatever its workload may call. */
function withHosts(scope: ServiceScope, hosts: readonly string[], visible: ServiceScope, memo: Memo): ServiceScope {
  const missing = hosts.flatMap((host) => {
    const service = visible.byHost.get(host)
    const known = scope.byHost.get(host)
    return service === undefined || known === service
      ? []
      : [known === undefined ? service : withPorts(service, known, memo)]
  })
  if (missing.length === 0) return scope
  const replaced = new Set(missing.map(({ host }) => host))
  return scopeOf([...scope.services.filter(({ host }) => !replaced.has(host)), ...missing], memo)
}

/** The same service as two listeners see it, each perhaps with one port only. */
function withPorts(a: Service, b: Service, memo: Memo): Service {
  const missing = b.ports.filter((port) => !a.ports.includes(port))
  if (a === b || missing.length === 0) return a
  return memo.get('ports of service', [a, b], () => ({ ...a, ports: [...a.ports, ...missing] }))
}
