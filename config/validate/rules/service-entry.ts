import type { ServiceEntrySpec } from '../../../crds/kinds/service-entry.ts'
import type { WorkloadEntrySpec } from '../../../crds/kinds/workload-entry.ts'
import { isWildcard } from '../../hosts.ts'
import { isHostPattern, isIpAddress, isSubnet } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { checkExportTo, checkPort, checkProtocol, checkUnique, wireProtocol } from './common.ts'
import { checkWorkloadEntry, checkWorkloadSelector } from './workload-entry.ts'

type Resolution = NonNullable<ServiceEntrySpec['resolution']>

export function checkServiceEntry(spec: ServiceEntrySpec, report: Report): void {
  const resolution = spec.resolution ?? 'NONE'
  checkHosts(spec, report)
  checkAddresses(spec, resolution, report)
  checkPorts(spec, resolution, report)
  checkExportTo(spec.exportTo, ['spec', 'exportTo'], report, { mayHide: true })
  checkWorkloadSelector(spec.workloadSelector, ['spec', 'workloadSelector'], report)
  const endpoints = spec.endpoints ?? []
  if (spec.workloadSelector !== undefined && endpoints.length > 0) {
    report.error(['spec', 'endpoints'], 'cannot stand beside workloadSelector')
  }
  endpoints.forEach((endpoint, index) => {
    checkEndpoint(endpoint, spec, resolution, ['spec', 'endpoints', index], report)
  })
  checkResolution(spec, resolution, report)
}

function checkHosts(spec: ServiceEntrySpec, report: Report): void {
  spec.hosts.forEach((host, index) => {
    const path = ['spec', 'hosts', index]
    if (host === '*') report.error(path, '"*" alone is not allowed')
    else if (!isHostPattern(host)) report.error(path, `"${host}" is no host name`)
  })
  checkUnique(spec.hosts, (index) => ['spec', 'hosts', index], report)
  const ports = spec.ports ?? []
  const onlyTcp = ports.length > 0 && ports.every((port) => wireProtocol(port.protocol ?? 'TCP') === 'tcp')
  if (spec.hosts.length > 1 && onlyTcp && (spec.addresses ?? []).length === 0) {
    report.warning(['spec', 'hosts'], 'calls to TCP ports without addresses cannot be told apart by host')
  }
}

function checkAddresses(spec: ServiceEntrySpec, resolution: Resolution, report: Report): void {
  spec.addresses?.forEach((address, index) => {
    const path = ['spec', 'addresses', index]
    if (!isSubnet(address)) report.error(path, `"${address}" is no IP address or CIDR prefix`)
    else if (address.includes('/') && resolution !== 'NONE' && resolution !== 'STATIC') {
      report.error(path, `CIDR prefixes are allowed with resolution NONE and STATIC only, not with ${resolution}`)
    }
  })
}

function checkPorts(spec: ServiceEntrySpec, resolution: Resolution, report: Report): void {
  const ports = spec.ports ?? []
  ports.forEach((port, index) => {
    const path = ['spec', 'ports', index]
    checkPort(port.number, [...path, 'number'], report)
    checkProtocol(port.protocol, [...path, 'protocol'], report)
    if (port.name === '') report.error([...path, 'name'], 'must be given')
    if (port.targetPort === undefined || port.targetPort === 0) return
    checkPort(port.targetPort, [...path, 'targetPort'], report)
    if (resolution === 'NONE') report.error([...path, 'targetPort'], 'is not allowed with resolution NONE')
  })
  const names = ports.map((port) => port.name)
  checkUnique(names, (index) => ['spec', 'ports', index, 'name'], report)
  const numbers = ports.map((port) => port.number)
  checkUnique(numbers, (index) => ['spec', 'ports', index, 'number'], report)
}

function checkEndpoint(
  endpoint: WorkloadEntrySpec,
  spec: ServiceEntrySpec,
  resolution: Resolution,
  path: FieldPath,
  report: Report,
): void {
  checkWorkloadEntry(endpoint, path, report)
  for (const name of Object.keys(endpoint.ports ?? {})) {
    if (!spec.ports?.some((port) => port.name === name)) {
      report.error([...path, 'ports', name], `"${name}" is not the name of a port in spec.ports`)
    }
  }
  const { address = '' } = endpoint
  const at = [...path, 'address']
  if (address.startsWith('unix:')) {
    if (resolution !== 'STATIC') report.error(at, 'Unix sockets are allowed with resolution STATIC only')
    if ((spec.ports ?? []).length !== 1) report.error(at, 'Unix sockets need exactly one port in spec.ports')
  } else if (resolution === 'STATIC' && address !== '' && !isIpAddress(address)) {
    report.error(at, `must be an IP address with resolution STATIC, found "${address}"`)
  }
}

function checkResolution(spec: ServiceEntrySpec, resolution: Resolution, report: Report): void {
  const endpoints = spec.endpoints ?? []
  const noEndpoints = endpoints.length === 0 && spec.workloadSelector === undefined
  const path = ['spec', 'endpoints']
  switch (resolution) {
    case 'NONE':
      if (endpoints.length > 0) report.error(path, 'are not allowed with resolution NONE')
      if (spec.workloadSelector !== undefined) {
        report.error(['spec', 'workloadSelector'], 'is not allowed with resolution NONE')
      }
      return
    case 'STATIC':
      if (noEndpoints) report.warning(path, 'none are given, so calls have nowhere to go')
      return
    case 'DNS':
    case 'DNS_ROUND_ROBIN':
      if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1) {
        report.error(path, 'only one is allowed with resolution DNS_ROUND_ROBIN')
      }
      if (!noEndpoints) return
      spec.hosts.forEach((host, index) => {
        if (isWildcard(host)) report.error(['spec', 'hosts', index], `"${host}" cannot be looked up; give endpoints`)
      })
      return
    case 'DYNAMIC_DNS':
      return
  }
}
