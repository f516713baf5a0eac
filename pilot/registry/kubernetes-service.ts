import type { ConfigObject } from '../../config/object.ts'
import type { ServiceBody } from '../../crds/kinds/service.ts'
import type { MeshOptions } from '../mesh/options.ts'
import { protocolOfPort } from './protocol.ts'
import type { Resolution, Service, ServicePort } from './service.ts'
import { parseExportTo } from './visibility.ts'

/** The annotation that restricts who sees a Kubernetes Service. */
export const EXPORT_TO_ANNOTATION = 'networking.istio.io/exportTo'

export function kubernetesHost(name: string, namespace: string, domain: string): string {
  return `${name}.${namespace}.svc.${domain}`
}

export function serviceFromKubernetes(object: ConfigObject<ServiceBody>, options: MeshOptions): Service {
  const { metadata, origin } = object
  const { spec } = object.body
  const headless = spec.clusterIP === 'None'
  const host = kubernetesHost(metadata.name, metadata.namespace, options.domain)
  const exportTo = metadata.annotations[EXPORT_TO_ANNOTATION]?.split(',').map((value) => value.trim())
  return {
    key: `Kubernetes/${metadata.namespace}/${metadata.name}/${host}`,
    registry: 'Kubernetes',
    host,
    name: metadata.name,
    namespace: metadata.namespace,
    resolution: resolutionOf(spec.type, headless),
    meshExternal: spec.type === 'ExternalName',
    headless,
    ports: (spec.ports ?? []).map(servicePort),
    addresses: virtualAddresses(object),
    selector: spec.type === 'ExternalName' ? undefined : spec.selector,
    exportTo: parseExportTo(exportTo, metadata.namespace, options.defaultServiceExportTo),
    labels: metadata.labels,
    origin,
    mergedKeys: [],
  }
}

function resolutionOf(type: string | undefined, headless: boolean): Resolution {
  if (type === 'ExternalName') return 'DNSRoundRobinLB'
  return headless ? 'Passthrough' : 'ClientSideLB'
}

function servicePort(port: NonNullable<ServiceBody['spec']['ports']>[number]): ServicePort {
  return {
    number: port.port,
    name: port.name ?? '',
    protocol: protocolOfPort(port),
    targetPort: targetPort(port.targetPort) ?? port.port,
  }
}

/** Kubernetes takes 0 and '' for "the same as port", and a number written as text for a number. */
function targetPort(value: number | string | undefined): number | string | undefined {
  if (value === undefined || value === 0 || value === '') return undefined
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
}

function virtualAddresses(object: ConfigObject<ServiceBody>): string[] {
  const { clusterIP, clusterIPs } = object.body.spec
  const all = clusterIPs !== undefined && clusterIPs.length > 0 ? clusterIPs : [clusterIP ?? '']
  return all.filter((ip) => ip !== '' && ip !== 'None')
}
