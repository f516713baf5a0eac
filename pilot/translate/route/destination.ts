import { formatClusterName } from '../../../api/names.ts'
import type { Destination } from '../../../crds/kinds/common.ts'
import type { Service } from '../../registry/service.ts'

/**
 * The cluster of a destination. Without a port of its own it means the service's only port, else the port that the
 * call came to. An unknown host still has a name, so that the route stays and answers 503.
 */
export function destinationCluster(destination: Destination, service: Service | undefined, port: number): string {
  return formatClusterName({
    direction: 'outbound',
    port: destinationPort(destination, service, port),
    subset: destination.subset ?? '',
    host: destination.host,
  })
}

export function destinationPort({ port: own }: Destination, service: Service | undefined, port: number): number {
  const only = service?.ports.length === 1 ? service.ports[0]?.number : undefined
  return own?.number ?? only ?? port
}
