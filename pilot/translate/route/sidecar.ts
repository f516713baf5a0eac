import { MESH_GATEWAY } from '../../../config/hosts.ts'
import { HostIndex } from '../../mesh/host-index.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import type { NodeScope } from '../../mesh/scope.ts'
import type { EgressScope } from '../../mesh/sidecar.ts'
import type { VirtualService } from '../../mesh/virtual-service.ts'
import { isHttp } from '../../registry/protocol.ts'
import type { Service, ServicePort } from '../../registry/service.ts'
import { domainsOf, withPort } from './domains.ts'
import { claimDomains, type RoutePlan } from './plan.ts'
import type { VirtualHostPlan } from './virtual-host.ts'

/** The port whose table also serves hosts that only a VirtualService knows. */
const UNKNOWN_HOSTS_PORT = 80

/** The rules of a listener by the hosts that they own. */
export function ruleIndex(virtualServices: readonly VirtualService[]): HostIndex<VirtualService> {
  const index = new HostIndex<VirtualService>()
  for (const virtualService of virtualServices) for (const host of virtualService.hosts) index.add(host, virtualService)
  return index
}

/**
 * The route table of one port of a sidecar (Istio's buildSidecarOutboundVirtualHosts): a virtual host for each service
 * with that port, by the rule of the most specific host, the oldest of several; there is no merging.
 */
export function sidecarRoutePlan(
  name: string,
  port: number,
  egress: EgressScope,
  scope: NodeScope,
  options: MeshOptions,
): RoutePlan {
  const rules = ruleIndex(egress.virtualServices)
  const table = new TableBuilder(scope.namespace, options, rules, egress.anyPort ? port : undefined)
  const known = new Set<VirtualService>()
  for (const service of egress.services.services) {
    const ports = service.ports.filter((p) => isHttp(p.protocol) && (egress.anyPort || p.number === port))
    if (ports.length === 0) continue
    for (const rule of rules.lookup(service.host)) known.add(rule)
    for (const servicePort of ports) table.addService(service, servicePort, mainPort(ports))
  }
  if (egress.anyPort || port === UNKNOWN_HOSTS_PORT) {
    for (const host of rules.hosts) if (!isKnown(host, egress)) table.addUnknownHost(host)
  }
  return {
    name,
    virtualHosts: table.virtualHosts,
    otherwise: { kind: 'unknownHosts', policy: scope.outboundTrafficPolicy },
    ignorePort: !egress.anyPort,
  }
}

/** Of a service's ports the one that a name without port means. */
function mainPort(ports: readonly ServicePort[]): ServicePort | undefined {
  return ports.find((port) => port.number === UNKNOWN_HOSTS_PORT) ?? ports[0]
}

function isKnown(host: string, egress: EgressScope): boolean {
  if (!host.startsWith('*')) return egress.services.byHost.has(host)
  return egress.services.services.some((service) => service.host.endsWith(host.slice(1)))
}

class TableBuilder {
  readonly virtualHosts: VirtualHostPlan[] = []
  readonly #taken = new Set<string>()
  readonly #namespace: string
  readonly #options: MeshOptions
  readonly #rules: HostIndex<VirtualService>
  /** The listener's port, when it carries every port of a service. */
  readonly #anyPortOf: number | undefined

  constructor(
    namespace: string,
    options: MeshOptions,
    rules: HostIndex<VirtualService>,
    anyPortOf: number | undefined,
  ) {
    this.#namespace = namespace
    this.#options = options
    this.#rules = rules
    this.#anyPortOf = anyPortOf
  }

  addService(service: Service, port: ServicePort, main: ServicePort | undefined): void {
    const names = domainsOf(service.host, service, this.#namespace, this.#options.domain)
    const rule = this.#rules.lookup(service.host)[0]
    this.#add({
      name: `${service.host}:${port.number}`,
      domains: this.#domains(names, port.number, port === main),
      port: port.number,
      rules: rule === undefined ? [] : [{ virtualService: rule, gateways: [MESH_GATEWAY] }],
      service: { service, port },
      redirectToTls: false,
      origin: rule?.object.origin ?? service.origin,
    })
  }

  addUnknownHost(host: string): void {
    const rule = this.#rules.at(host)[0]
    if (rule === undefined) return
    const names = domainsOf(host, undefined, this.#namespace, this.#options.domain)
    this.#add({
      name: `${host}:${UNKNOWN_HOSTS_PORT}`,
      domains: this.#domains(names, UNKNOWN_HOSTS_PORT, true),
      port: UNKNOWN_HOSTS_PORT,
      rules: [{ virtualService: rule, gateways: [MESH_GATEWAY] }],
      service: undefined,
      redirectToTls: false,
      origin: rule.object.origin,
    })
  }

  #domains(names: readonly string[], port: number, isMain: boolean): string[] {
    if (this.#anyPortOf === undefined) return [...names]
    if (!isMain) return withPort(names, port)
    // A client that came by the listener's own port may name that.
    return [...names, ...withPort(names, port), ...(port === this.#anyPortOf ? [] : withPort(names, this.#anyPortOf))]
  }

  #add(plan: VirtualHostPlan): void {
    const domains = claimDomains(plan.domains, this.#taken)
    if (domains.length > 0) this.virtualHosts.push({ ...plan, domains })
  }
}
