import { formatClusterName } from '../../api/names.ts'
import type { Origin } from '../../api/origin.ts'
import { originAt } from '../../config/object.ts'
import type { ConnectionPoolSettings } from '../../crds/kinds/destination-rule.ts'
import type { IstioIngressListener } from '../../crds/kinds/sidecar.ts'
import { MeshError } from '../../lib/errors.ts'
import { type DestinationRuleIndex, ownRule } from '../mesh/destination-rule.ts'
import type { MtlsMode } from '../mesh/peer-authentication.ts'
import type { NodeScope } from '../mesh/scope.ts'
import { effectivePolicy } from '../mesh/traffic-policy.ts'
import { type Protocol, parseProtocol } from '../registry/protocol.ts'
import type { Service } from '../registry/service.ts'
import { type InboundPolicy, inboundPolicy } from './policy/plan.ts'
import { type InboundReports, inboundReports } from './policy/reports.ts'

/** One port on which the workload is called. */
export interface InboundPlan {
  /** Where the proxy is called: its own address, when the port is not redirected to it. */
  readonly bind: string
  readonly port: number
  readonly bindToPort: boolean
  readonly protocol: Protocol
  readonly cluster: string
  /** The port by which clients know it. */
  readonly servicePort: number
  /** Where the workload listens; undefined: where the connection was going. */
  readonly endpoint: { readonly address: string; readonly port: number } | undefined
  readonly connectionPool: ConnectionPoolSettings | undefined
  /** How it is called. */
  readonly mtls: MtlsMode
  /** What the mixer is asked about; undefined for nothing. */
  readonly policy?: InboundPolicy | undefined
  /** What the mixer is told; undefined for nothing. */
  readonly reports?: InboundReports | undefined
  /** Whose port it is, for metrics; undefined for ports that no service has. */
  readonly service: Pick<Service, 'host' | 'name' | 'namespace'> | undefined
  readonly origin: Origin
}

/** The ports of a Sidecar's `ingress` take the place of those that the services say. */
export function inboundPlans(scope: NodeScope, rules: DestinationRuleIndex): readonly InboundPlan[] {
  const ingress = scope.sidecar?.body.spec.ingress ?? []
  return ingress.length > 0
    ? ingress.map((listener, i) => ingressPlan(listener, i, scope))
    : instancePlans(scope, rules)
}

/** Two services may share a port of the workload: the oldest says what is spoken there. */
function instancePlans(scope: NodeScope, rules: DestinationRuleIndex): InboundPlan[] {
  const plans = new Map<number, InboundPlan>()
  for (const { service, port, targetPort } of scope.instances) {
    if (plans.has(targetPort) || port.protocol === 'UDP') continue
    const pool = effectivePolicy(ownRule(rules, service), '', port.number).connectionPool
    plans.set(targetPort, {
      bind: '0.0.0.0',
      port: targetPort,
      bindToPort: false,
      protocol: port.protocol,
      cluster: inboundClusterName(targetPort),
      servicePort: port.number,
      endpoint: undefined,
      connectionPool: scope.sidecar?.body.spec.inboundConnectionPool ?? pool,
      mtls: mtlsOf(targetPort, scope),
      policy: inboundPolicy(scope.policy, scope.namespace, targetPort, service.host),
      reports: inboundReports(scope.reports, scope.namespace, targetPort, service.host),
      service,
      origin: service.origin,
    })
  }
  return [...plans.values()]
}

function ingressPlan(listener: IstioIngressListener, index: number, scope: NodeScope): InboundPlan {
  const { sidecar, captured } = scope
  if (sidecar === undefined) throw new MeshError('pilot_no_sidecar', 'ingress without its Sidecar', { source: 'local' })
  const { number, protocol } = listener.port
  const bindToPort = listener.captureMode === 'NONE' || (!captured && listener.captureMode !== 'IPTABLES')
  return {
    bind: listener.bind || (bindToPort ? scope.address : '') || '0.0.0.0',
    port: number,
    bindToPort,
    protocol: parseProtocol(protocol),
    cluster: inboundClusterName(number),
    servicePort: number,
    endpoint: defaultEndpoint(listener, scope.address),
    connectionPool: listener.connectionPool ?? sidecar.body.spec.inboundConnectionPool,
    mtls: mtlsOf(number, scope),
    policy: inboundPolicy(scope.policy, scope.namespace, number),
    reports: inboundReports(scope.reports, scope.namespace, number),
    // By the port that its clients know, as Istio finds it (findOrCreateService).
    service: scope.instances.find(({ port }) => port.number === number)?.service,
    origin: originAt(sidecar, ['spec', 'ingress', index]),
  }
}

function mtlsOf(port: number, { mtls }: NodeScope): MtlsMode {
  return mtls.ports[port] ?? mtls.workload
}

function inboundClusterName(port: number): string {
  return formatClusterName({ direction: 'inbound', port, subset: '', host: '' })
}

/** `127.0.0.1:P`, `[::1]:P`, `0.0.0.0:P` and `[::]:P` (the workload's own address), or `unix://PATH`. */
function defaultEndpoint({ defaultEndpoint: text, port }: IstioIngressListener, ownAddress: string) {
  if (text === undefined || text === '') return { address: '127.0.0.1', port: port.number }
  if (text.startsWith('unix://')) return { address: text.slice('unix://'.length), port: 0 }
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  const isOwn = host === '0.0.0.0' || host === '::'
  return { address: isOwn ? ownAddress || '127.0.0.1' : host, port: Number(text.slice(colon + 1)) }
}
