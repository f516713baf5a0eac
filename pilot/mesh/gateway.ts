import type { Origin } from '../../api/origin.ts'
import { serverCredentials } from '../../config/credential/uses.ts'
import { hostsOverlap, hostWithin, splitNamespacedHost } from '../../config/hosts.ts'
import { type ConfigObject, originAt } from '../../config/object.ts'
import type { GatewayBody, Server, ServerTLSSettings } from '../../crds/kinds/gateway.ts'
import { type Labels, labelsMatch } from '../registry/labels.ts'
import { isHttp, isTls, type Protocol, parseProtocol } from '../registry/protocol.ts'
import type { VirtualService } from './virtual-service.ts'

/** One server of one Gateway. */
export interface GatewayServer {
  /** `namespace/name` of the Gateway. */
  readonly gateway: string
  readonly server: Server
  readonly protocol: Protocol
  readonly hosts: readonly ServerHost[]
  readonly origin: Origin
}

/** A host that may be served, and the namespace whose VirtualServices may serve it (`*`: any). */
export interface ServerHost {
  readonly namespace: string
  readonly host: string
}

/** What opens one port of a gateway workload. */
export interface GatewayPort {
  readonly bind: string
  /** What the listener binds: where the gateway's Service sends calls of the servers' port. */
  readonly port: number
  /** The number that the servers, and the VirtualServices' `port`, name. */
  readonly serverPort: number
  /** `http`: plain HTTP, by route table. `tls`: by SNI. `tcp`: bytes. */
  readonly mode: 'http' | 'tls' | 'tcp'
  readonly servers: readonly GatewayServer[]
}

export function selectGateways(gateways: readonly ConfigObject<GatewayBody>[], labels: Labels) {
  return gateways.filter((gateway) => labelsMatch(gateway.body.spec.selector, labels))
}

/**
 * Puts the servers of all Gateways of a workload together by port. On one port the first server decides whether it
 * speaks HTTP, TLS or bytes; later servers of another kind are left out (Istio's mergeGateways).
 */
export function mergeGateways(
  gateways: readonly ConfigObject<GatewayBody>[],
  targetPort: (servicePort: number) => number,
): readonly GatewayPort[] {
  const ports = new Map<string, GatewayPort & { servers: GatewayServer[] }>()
  for (const gateway of gateways) {
    const name = `${gateway.metadata.namespace}/${gateway.metadata.name}`
    for (const [i, server] of (gateway.body.spec.servers ?? []).entries()) {
      const protocol = parseProtocol(server.port.protocol)
      const bind = server.bind === undefined || server.bind === '' ? '0.0.0.0' : server.bind
      const port = targetPort(server.port.number)
      const mode = modeOf(protocol)
      const key = `${bind}_${port}`
      let merged = ports.get(key)
      if (merged === undefined) {
        merged = { bind, port, serverPort: server.port.number, mode, servers: [] }
        ports.set(key, merged)
      }
      if (merged.mode !== mode) continue
      const hosts = parseHosts(server.hosts, gateway.metadata.namespace)
      if (mode === 'tls' && hosts.some((host) => isTaken(host, merged.servers))) continue
      merged.servers.push({ gateway: name, server, protocol, hosts, origin: originAt(gateway, ['spec', 'servers', i]) })
    }
  }
  return [...ports.values()]
}

/** The TLS that a server ends itself, by certificates that it is given; undefined where it passes on, and where it has none. */
export function terminatedTls({ protocol, server: { tls } }: GatewayServer): ServerTLSSettings | undefined {
  if (tls === undefined || !isTls(protocol)) return undefined
  const { mode } = tls
  if (mode === 'ISTIO_MUTUAL') return tls
  if (mode !== 'SIMPLE' && mode !== 'MUTUAL' && mode !== 'OPTIONAL_MUTUAL') return undefined
  const isNamed = serverCredentials(tls).some(({ needs }) => needs === 'certificate')
  return isNamed || certificatesOf(tls).length > 0 ? tls : undefined
}

/** Whether a server passes TLS on to the cluster that its clients name by SNI, which are sidecars of the mesh. */
export function isAutoPassthrough({ protocol, server: { tls } }: GatewayServer): boolean {
  return isTls(protocol) && tls?.mode === 'AUTO_PASSTHROUGH'
}

/** The hosts whose clusters can be named so at any port of a gateway. */
export function autoPassthroughHosts(ports: readonly GatewayPort[]): readonly string[] {
  return ports.flatMap(({ servers }) => servers.filter(isAutoPassthrough)).flatMap(hostNames)
}

export function hostNames({ hosts }: GatewayServer): readonly string[] {
  return hosts.map(({ host }) => host)
}

/** The pairs that a server shows: one of RSA and one of ECDSA perhaps. */
export function certificatesOf({ serverCertificate, privateKey, tlsCertificates = [] }: ServerTLSSettings) {
  if (serverCertificate && privateKey) return [{ serverCertificate, privateKey }]
  return tlsCertificates.filter((pair) => pair.serverCertificate && pair.privateKey)
}

/** HTTPS and TLS servers carry TLS; every other HTTP protocol is plain. */
function modeOf(protocol: Protocol): GatewayPort['mode'] {
  if (isTls(protocol)) return 'tls'
  return isHttp(protocol) ? 'http' : 'tcp'
}

function parseHosts(hosts: readonly string[], gatewayNamespace: string): ServerHost[] {
  return hosts.map((text) => {
    const { namespace, host } = splitNamespacedHost(text.toLowerCase())
    return { namespace: namespace === '.' ? gatewayNamespace : namespace, host }
  })
}

function isTaken(host: ServerHost, servers: readonly GatewayServer[]): boolean {
  return servers.some((server) => server.hosts.some((taken) => taken.host === host.host))
}

/** The hosts that a VirtualService serves at a server: the narrower of the two names, where they meet. */
export function servedHosts(server: GatewayServer, virtualService: VirtualService): string[] {
  const served = new Set<string>()
  for (const host of virtualService.hosts) {
    for (const allowed of server.hosts) {
      if (allowed.namespace !== '*' && allowed.namespace !== virtualService.namespace) continue
      if (!hostsOverlap(allowed.host, host)) continue
      served.add(hostWithin(host, allowed.host) ? host : allowed.host)
    }
  }
  return [...served]
}
