import type { Cluster } from '../../upstream/cluster.ts'
import type { Agent } from '../agent.ts'

/** Envoy's text form of /clusters. */
export function clustersText(agent: Agent): string {
  let out = ''
  for (const [name, cluster] of [...agent.dataPlane.clusters].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { limits } = cluster.plan
    out += `${name}::observability_name::${name}\n`
    out += `${name}::default_priority::max_connections::${limits.maxConnections}\n`
    out += `${name}::default_priority::max_pending_requests::${limits.maxPendingRequests}\n`
    out += `${name}::default_priority::max_requests::${limits.maxRequests}\n`
    out += `${name}::default_priority::max_retries::${limits.maxRetries}\n`
    for (const host of cluster.hosts) {
      const at = `${name}::${host.key}`
      out += `${at}::cx_active::${host.connectionCount}\n`
      out += `${at}::rq_active::${host.activeRequests}\n`
      out += `${at}::rq_total::${host.totalRequests}\n`
      out += `${at}::health_flags::${host.plan.healthy ? 'healthy' : '/eds_health_unhealthy'}\n`
      out += `${at}::weight::${host.plan.weight}\n`
      out += `${at}::priority::${host.plan.priority}\n`
    }
  }
  return out
}

/** Envoy's JSON form (envoy.admin.v3.Clusters). */
export function clustersJson(agent: Agent): unknown {
  return { cluster_statuses: [...agent.dataPlane.clusters.values()].map(clusterStatus) }
}

function clusterStatus(cluster: Cluster): unknown {
  return {
    name: cluster.plan.name,
    added_via_api: cluster.plan.resourceVersion !== 'static',
    host_statuses: [...cluster.hosts].map((host) => ({
      address:
        host.plan.unixPath === ''
          ? { socket_address: { address: host.plan.address, port_value: host.plan.port } }
          : { pipe: { path: host.plan.unixPath } },
      stats: [
        { name: 'cx_active', type: 'GAUGE', value: String(host.connectionCount) },
        { name: 'rq_active', type: 'GAUGE', value: String(host.activeRequests) },
        { name: 'rq_total', value: String(host.totalRequests) },
      ],
      health_status: { eds_health_status: host.plan.healthy ? 'HEALTHY' : 'UNHEALTHY' },
      weight: host.plan.weight,
      priority: host.plan.priority,
      locality: host.plan.locality,
    })),
  }
}
