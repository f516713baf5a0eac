import type { ClusterStatus } from '../planes.ts'

/** Envoy's text form of /clusters. */
export function clustersText(clusters: readonly ClusterStatus[]): string {
  let out = ''
  for (const { name, limits, hosts } of [...clusters].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    out += `${name}::observability_name::${name}\n`
    out += `${name}::default_priority::max_connections::${limits.maxConnections}\n`
    out += `${name}::default_priority::max_pending_requests::${limits.maxPendingRequests}\n`
    out += `${name}::default_priority::max_requests::${limits.maxRequests}\n`
    out += `${name}::default_priority::max_retries::${limits.maxRetries}\n`
    for (const host of hosts) {
      const at = `${name}::${host.key}`
      out += `${at}::cx_active::${host.connections}\n`
      out += `${at}::rq_active::${host.activeRequests}\n`
      out += `${at}::rq_total::${host.totalRequests}\n`
      out += `${at}::health_flags::${host.endpoint.healthy ? 'healthy' : '/eds_health_unhealthy'}\n`
      out += `${at}::weight::${host.endpoint.weight}\n`
      out += `${at}::priority::${host.endpoint.priority}\n`
      out += localityText(at, host.endpoint.locality)
    }
  }
  return out
}

function localityText(at: string, locality: string): string {
  const { region, zone, sub_zone } = localityOf(locality)
  return `${at}::region::${region}\n${at}::zone::${zone}\n${at}::sub_zone::${sub_zone}\n`
}

function localityOf(text: string) {
  const [region = '', zone = '', sub_zone = ''] = text.split('/')
  return { region, zone, sub_zone }
}

/** Envoy's JSON form (envoy.admin.v3.Clusters). */
export function clustersJson(clusters: readonly ClusterStatus[]): unknown {
  return { cluster_statuses: clusters.map(clusterStatus) }
}

function clusterStatus({ name, resourceVersion, hosts }: ClusterStatus): unknown {
  return {
    name,
    added_via_api: resourceVersion !== 'static',
    host_statuses: hosts.map(({ endpoint, connections, activeRequests, totalRequests }) => ({
      address:
        endpoint.unixPath === ''
          ? { socket_address: { address: endpoint.address, port_value: endpoint.port } }
          : { pipe: { path: endpoint.unixPath } },
      stats: [
        { name: 'cx_active', type: 'GAUGE', value: String(connections) },
        { name: 'rq_active', type: 'GAUGE', value: String(activeRequests) },
        { name: 'rq_total', value: String(totalRequests) },
      ],
      health_status: { eds_health_status: endpoint.healthy ? 'HEALTHY' : 'UNHEALTHY' },
      weight: endpoint.weight,
      priority: endpoint.priority,
      locality: localityOf(endpoint.locality),
    })),
  }
}
