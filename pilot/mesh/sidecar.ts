import { hostsOverlap, splitNamespacedHost } from '../../config/hosts.ts'
import type { ConfigObject } from '../../config/object.ts'
import type { IstioEgressListener, SidecarBody } from '../../crds/kinds/sidecar.ts'
import type { Memo } from '../memo.ts'
import { isEmptySelector, type Labels, labelsMatch } from '../registry/labels.ts'
import { parseProtocol } from '../registry/protocol.ts'
import type { Service } from '../registry/service.ts'
import { type ServiceScope, scopeOf } from './service-scope.ts'
import type { VirtualService } from './virtual-service.ts'

/** One way out of a sidecar: what may be called through it. */
export interface EgressScope {
  /** Undefined: the listener for every port that has none of its own. */
  readonly listener: IstioEgressListener | undefined
  /** Its place in the Sidecar. */
  readonly index: number
  readonly services: ServiceScope
  readonly virtualServices: readonly VirtualService[]
  /** Calls through it name any port of a service, as to a forward proxy, and not just the listener's own. */
  readonly anyPort: boolean
}

/** The Sidecar of a workload: one that selects it, else the namespace's, else the root namespace's. */
export function selectSidecar(
  sidecars: readonly ConfigObject<SidecarBody>[],
  namespace: string,
  labels: Labels,
  rootNamespace: string,
): ConfigObject<SidecarBody> | undefined {
  const selectorOf = (sidecar: ConfigObject<SidecarBody>) => sidecar.body.spec.workloadSelector?.labels
  const own = sidecars.filter((sidecar) => sidecar.metadata.namespace === namespace)
  return (
    own.find((s) => !isEmptySelector(selectorOf(s)) && labelsMatch(selectorOf(s), labels)) ??
    own.find((s) => isEmptySelector(selectorOf(s))) ??
    sidecars.find((s) => s.metadata.namespace === rootNamespace && isEmptySelector(selectorOf(s)))
  )
}

/** What each egress listener of a Sidecar imports; without a Sidecar, one listener that imports everything. */
export function egressScopes(
  sidecar: ConfigObject<SidecarBody> | undefined,
  namespace: string,
  visible: ServiceScope,
  virtualServices: readonly VirtualService[],
  all: readonly Service[],
  memo: Memo,
): readonly EgressScope[] {
  const egress = sidecar?.body.spec.egress
  if (egress === undefined || egress.length === 0) {
    return [{ listener: undefined, index: 0, services: visible, virtualServices, anyPort: false }]
  }
  return egress.map((listener, index) => {
    const imports = parseImports(listener.hosts, namespace)
    const imported = imports.every((i) => i.namespace === '*' && i.host === '*')
      ? visible
      : scopeOf(
          all.filter((service) => isImported(imports, service.namespace, service.host)),
          memo,
        )
    const { services, anyPort } = ofPort(imported, listener, memo)
    return {
      listener,
      index,
      services,
      anyPort,
      virtualServices: memo.list(
        'imported virtual services',
        virtualServices.filter((vs) => vs.hosts.some((host) => isImported(imports, vs.namespace, host))),
      ),
    }
  })
}

interface Import {
  namespace: string
  host: string
  /** `~namespace/host` takes away what others import. */
  subtracts: boolean
}

function parseImports(hosts: readonly string[], ownNamespace: string): Import[] {
  return hosts.map((text) => {
    const { namespace: prefix, host } = splitNamespacedHost(text.toLowerCase())
    const subtracts = prefix.startsWith('~') && prefix !== '~'
    const namespace = subtracts ? prefix.slice(1) : prefix
    return { namespace: namespace === '.' ? ownNamespace : namespace, host, subtracts }
  })
}

function isImported(imports: readonly Import[], namespace: string, host: string): boolean {
  const covers = (entry: Import) =>
    (entry.namespace === '*' || entry.namespace === namespace) && hostsOverlap(entry.host, host)
  return imports.some((i) => !i.subtracts && covers(i)) && !imports.some((i) => i.subtracts && covers(i))
}

/**
 * A listener with a port carries the services of that port, and of them only that port. One of protocol HTTP_PROXY
 * carries every port; so does one whose port no imported service has, since nothing could be called through it
 * otherwise.
 */
function ofPort(
  imported: ServiceScope,
  listener: IstioEgressListener,
  memo: Memo,
): { services: ServiceScope; anyPort: boolean } {
  const number = listener.port?.number ?? 0
  if (listener.port === undefined) return { services: imported, anyPort: false }
  if (number === 0 || parseProtocol(listener.port.protocol) === 'HTTP_PROXY')
    return { services: imported, anyPort: true }
  const restricted = imported.services.flatMap((service) => {
    const port = service.ports.find((candidate) => candidate.number === number)
    if (port === undefined) return []
    return [
      service.ports.length === 1
        ? service
        : memo.get('port of service', [service, port], () => ({ ...service, ports: [port] })),
    ]
  })
  if (restricted.length === 0) return { services: imported, anyPort: true }
  return { services: scopeOf(restricted, memo), anyPort: false }
}
