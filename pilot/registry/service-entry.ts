import type { ConfigObject } from '../../config/object.ts'
import type { ServiceEntryBody, ServiceEntrySpec } from '../../crds/kinds/service-entry.ts'
import type { MeshOptions } from '../mesh/options.ts'
import { parseProtocol } from './protocol.ts'
import type { Resolution, Service } from './service.ts'
import { parseExportTo } from './visibility.ts'

const RESOLUTIONS: Record<NonNullable<ServiceEntrySpec['resolution']>, Resolution> = {
  NONE: 'Passthrough',
  STATIC: 'ClientSideLB',
  DNS: 'DNSLB',
  DNS_ROUND_ROBIN: 'DNSRoundRobinLB',
  DYNAMIC_DNS: 'Passthrough',
}

/** One service for each host of the ServiceEntry (istio.io/latest/docs/reference/config/networking/service-entry). */
export function servicesFromEntry(object: ConfigObject<ServiceEntryBody>, options: MeshOptions): Service[] {
  const { metadata, origin } = object
  const { spec } = object.body
  const ports = (spec.ports ?? []).map((port) => ({
    number: port.number,
    name: port.name,
    protocol: parseProtocol(port.protocol),
    targetPort: port.targetPort === undefined || port.targetPort === 0 ? port.number : port.targetPort,
  }))
  return [...new Set(spec.hosts)].map((host) => ({
    key: `External/${metadata.namespace}/${metadata.name}/${host}`,
    registry: 'External',
    host: host.toLowerCase(),
    name: metadata.name,
    namespace: metadata.namespace,
    resolution: RESOLUTIONS[spec.resolution ?? 'NONE'],
    meshExternal: spec.location !== 'MESH_INTERNAL',
    headless: false,
    ports,
    addresses: spec.addresses ?? [],
    selector: spec.workloadSelector?.labels,
    exportTo: parseExportTo(spec.exportTo, metadata.namespace, options.defaultServiceExportTo),
    labels: metadata.labels,
    origin,
    mergedKeys: [],
  }))
}
