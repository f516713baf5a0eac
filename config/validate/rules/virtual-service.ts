import type {
  L4MatchAttributes,
  RouteDestination,
  TLSMatchAttributes,
  VirtualServiceSpec,
} from '../../../crds/kinds/virtual-service.ts'
import { hostsOverlap, hostWithin, MESH_GATEWAY } from '../../hosts.ts'
import { isDnsLabel } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import {
  checkDestination,
  checkExportTo,
  checkGatewayNames,
  checkHost,
  checkLabels,
  checkPort,
  checkSubnets,
  checkWeights,
} from './common.ts'
import { checkHttpRoute } from './http-route.ts'

export function checkVirtualService(spec: VirtualServiceSpec, report: Report): void {
  const hosts = spec.hosts ?? []
  const isDelegate = hosts.length === 0
  if (isDelegate) checkDelegate(spec, report)
  else checkHosts(hosts, spec.gateways, report)
  checkGatewayNames(spec.gateways, ['spec', 'gateways'], report)
  checkExportTo(spec.exportTo, ['spec', 'exportTo'], report)
  const { http = [], tls = [], tcp = [] } = spec
  if (http.length + tls.length + tcp.length === 0) report.error(['spec'], 'needs at least one of http, tls and tcp')
  http.forEach((route, index) => {
    checkHttpRoute(route, ['spec', 'http', index], { isDelegate }, report)
  })
  tls.forEach((route, index) => {
    const path = ['spec', 'tls', index]
    route.match.forEach((match, at) => {
      checkSni(match, hosts, [...path, 'match', at], report)
      checkL4Match(match, [...path, 'match', at], report)
    })
    checkL4Route(route.route, [...path, 'route'], report)
  })
  tcp.forEach((route, index) => {
    const path = ['spec', 'tcp', index]
    route.match?.forEach((match, at) => {
      checkL4Match(match, [...path, 'match', at], report)
    })
    checkL4Route(route.route, [...path, 'route'], report)
  })
}

/** A VirtualService without hosts can only be one that others delegate to. */
function checkDelegate(spec: VirtualServiceSpec, report: Report): void {
  const why = 'not in a VirtualService without hosts, which only others delegate to'
  if ((spec.gateways ?? []).length > 0) report.error(['spec', 'gateways'], why)
  if ((spec.tls ?? []).length > 0) report.error(['spec', 'tls'], why)
  if ((spec.tcp ?? []).length > 0) report.error(['spec', 'tcp'], why)
}

function checkHosts(hosts: readonly string[], gateways: readonly string[] | undefined, report: Report): void {
  const forMesh = gateways === undefined || gateways.length === 0 || gateways.includes(MESH_GATEWAY)
  hosts.forEach((host, index) => {
    const path = ['spec', 'hosts', index]
    checkHost(host, path, report)
    if (host === '*' && forMesh) report.error(path, '"*" is allowed for gateways only, not for the mesh')
    const earlier = hosts.slice(0, index).find((other) => hostsOverlap(host.toLowerCase(), other.toLowerCase()))
    if (earlier === undefined) return
    report.error(path, earlier === host ? `"${host}" is given twice` : `"${host}" overlaps with "${earlier}"`)
  })
}

function checkSni(match: TLSMatchAttributes, hosts: readonly string[], path: FieldPath, report: Report): void {
  match.sniHosts.forEach((sni, index) => {
    const at = [...path, 'sniHosts', index]
    checkHost(sni, at, report)
    if (!hosts.some((host) => hostWithin(sni, host))) report.error(at, `"${sni}" is not within any of spec.hosts`)
  })
}

function checkL4Match(match: TLSMatchAttributes | L4MatchAttributes, path: FieldPath, report: Report): void {
  checkSubnets(match.destinationSubnets, [...path, 'destinationSubnets'], report)
  checkPort(match.port, [...path, 'port'], report)
  checkLabels(match.sourceLabels, [...path, 'sourceLabels'], report)
  checkGatewayNames(match.gateways, [...path, 'gateways'], report)
  const { sourceNamespace } = match
  if (sourceNamespace !== undefined && sourceNamespace !== '' && !isDnsLabel(sourceNamespace)) {
    report.error([...path, 'sourceNamespace'], `"${sourceNamespace}" is no namespace`)
  }
}

function checkL4Route(routes: readonly RouteDestination[] | undefined, path: FieldPath, report: Report): void {
  if (routes === undefined || routes.length === 0) report.error(path, 'needs at least one destination')
  routes?.forEach((route, index) => {
    checkDestination(route.destination, [...path, index, 'destination'], report)
  })
  checkWeights(routes, path, report)
}
