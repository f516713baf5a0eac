import type { Destination, StringMatch } from '../../../crds/kinds/common.ts'
import { compileSafeRegex } from '../../../lib/safe-regex.ts'
import {
  isDnsLabel,
  isDnsSubdomain,
  isHostPattern,
  isIpAddress,
  isLabelKey,
  isLabelValue,
  isSubnet,
} from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'

export function checkPort(port: number | undefined, path: FieldPath, report: Report): void {
  if (port !== undefined && (port < 1 || port > 65_535)) report.error(path, `must be from 1 to 65535, found ${port}`)
}

/** A host name, a wildcard with `*` as the whole leftmost label, or an IP address. */
export function checkHost(host: string, path: FieldPath, report: Report): void {
  if (!isHostPattern(host) && !isIpAddress(host)) {
    report.error(path, `"${host}" is no host name; a wildcard may only be the whole leftmost label`)
  }
}

export function checkLabels(labels: Record<string, string> | undefined, path: FieldPath, report: Report): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (!isLabelKey(key) || !isLabelValue(value)) {
      report.error([...path, key], `"${key}: ${value}" cannot be a label`)
    }
  }
}

export function checkSubnets(subnets: readonly string[] | undefined, path: FieldPath, report: Report): void {
  subnets?.forEach((subnet, index) => {
    if (!isSubnet(subnet)) report.error([...path, index], `"${subnet}" is no IP address or CIDR prefix`)
  })
}

export function checkRegex(pattern: string, path: FieldPath, report: Report): void {
  const result = compileSafeRegex(pattern)
  if (!result.ok) report.error(path, `is no RE2 pattern: ${result.error}`)
}

/** Exactly one of exact, prefix and regex; none of them where that means presence. */
export function checkStringMatch(
  match: StringMatch | undefined,
  path: FieldPath,
  report: Report,
  options: { mayBeEmpty?: boolean } = {},
): void {
  if (match === undefined) return
  const given = (['exact', 'prefix', 'regex'] as const).filter((key) => match[key] !== undefined)
  if (given.length > 1)
    report.error(path, `only one of exact, prefix and regex may be given, found ${given.join(' and ')}`)
  if (given.length === 0 && options.mayBeEmpty !== true) report.error(path, 'needs one of exact, prefix and regex')
  // `*` is Istio's word for presence, not a pattern.
  const presence = options.mayBeEmpty === true && match.regex === '*'
  if (match.regex !== undefined && !presence) checkRegex(match.regex, [...path, 'regex'], report)
}

/** `.`, `*` or names of namespaces; `~` (nobody) only where `mayHide`. */
export function checkExportTo(
  exportTo: readonly string[] | undefined,
  path: FieldPath,
  report: Report,
  options: { mayHide?: boolean } = {},
): void {
  if (exportTo === undefined) return
  exportTo.forEach((to, index) => {
    const at = [...path, index]
    if (exportTo.indexOf(to) !== index) report.error(at, `"${to}" is given twice`)
    if (to === '~' && options.mayHide !== true) report.error(at, '"~" is allowed for ServiceEntries only')
    else if (to !== '.' && to !== '*' && to !== '~' && !isDnsLabel(to))
      report.error(at, `"${to}" is no namespace, "." or "*"`)
  })
  for (const alone of ['*', '~']) {
    if (exportTo.length > 1 && exportTo.includes(alone)) report.error(path, `"${alone}" must stand alone`)
  }
}

/** References to gateways: `mesh`, `name`, `namespace/name` or `./name`. */
export function checkGatewayNames(gateways: readonly string[] | undefined, path: FieldPath, report: Report): void {
  gateways?.forEach((name, index) => {
    const parts = name.split('/')
    const [first, second] = parts
    const valid =
      parts.length === 1
        ? isHostPattern(name) && !name.startsWith('*')
        : parts.length === 2 && (first === '.' || isDnsLabel(first ?? '')) && isHostPattern(second ?? '')
    if (!valid) report.error([...path, index], `"${name}" is no gateway; write mesh, name or namespace/name`)
  })
}

export function checkDestination(destination: Destination | undefined, path: FieldPath, report: Report): void {
  if (destination === undefined) return
  const { host, subset, port } = destination
  if (host === '*') report.error([...path, 'host'], 'a destination must be one service, not "*"')
  else checkHost(host, [...path, 'host'], report)
  if (subset !== undefined && subset !== '' && !isDnsLabel(subset)) {
    report.error([...path, 'subset'], `"${subset}" cannot be the name of a subset`)
  }
  checkPort(port?.number, [...path, 'port', 'number'], report)
}

/** Weights count only among several destinations, and then not all of them may be zero. */
export function checkWeights(
  routes: readonly { weight?: number }[] | undefined,
  path: FieldPath,
  report: Report,
): void {
  if (routes === undefined || routes.length < 2) return
  const total = routes.reduce((sum, route) => sum + (route.weight ?? 0), 0)
  if (total === 0) report.error(path, 'the weights of several destinations add up to 0')
}

/** Protocols that a port may declare, with what they are on the wire. Names are not case-sensitive. */
const PROTOCOLS: Record<string, 'http' | 'tls' | 'tcp' | 'udp'> = {
  HTTP: 'http',
  HTTP2: 'http',
  HTTP_PROXY: 'http',
  GRPC: 'http',
  'GRPC-WEB': 'http',
  HTTPS: 'tls',
  TLS: 'tls',
  TCP: 'tcp',
  MONGO: 'tcp',
  MYSQL: 'tcp',
  REDIS: 'tcp',
  UDP: 'udp',
}

export const PROTOCOL_NAMES = Object.keys(PROTOCOLS)

export function wireProtocol(protocol: string): 'http' | 'tls' | 'tcp' | 'udp' | undefined {
  return PROTOCOLS[protocol.toUpperCase()]
}

export function checkProtocol(protocol: string | undefined, path: FieldPath, report: Report): void {
  if (protocol === undefined || protocol === '' || wireProtocol(protocol) !== undefined) return
  report.error(path, `must be one of ${PROTOCOL_NAMES.join(', ')}, found "${protocol}"`)
}

/** Reports every value after the first that equals an earlier one. */
export function checkUnique<T>(
  values: readonly (T | undefined)[],
  pathOf: (index: number) => FieldPath,
  report: Report,
): void {
  const seen = new Set<T>()
  values.forEach((value, index) => {
    if (value === undefined) return
    if (seen.has(value)) report.error(pathOf(index), `${JSON.stringify(value)} is given twice`)
    seen.add(value)
  })
}

/** A place to listen or to forward to: `unix://` with an absolute path. */
export function isUnixAddress(address: string): boolean {
  return address.startsWith('unix:///') || address.startsWith('unix://@')
}

export function checkBind(bind: string | undefined, path: FieldPath, report: Report): void {
  if (bind === undefined || bind === '' || isIpAddress(bind) || isUnixAddress(bind)) return
  report.error(path, `"${bind}" is neither an IP address nor unix:// with an absolute path`)
}

/** Of a Secret in the proxy's own namespace: Istio's other forms (`kubernetes-gateway://`, `configmap://`) are not taken. */
export function checkSecretName(name: string, path: FieldPath, report: Report): void {
  if (!isDnsSubdomain(name))
    report.error(path, `"${name}" is no name of a Secret; nor can it name one of another namespace`)
}
