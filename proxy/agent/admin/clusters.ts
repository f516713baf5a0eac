import { HEALTH_FLAG, healthFlagsText } from '../../upstream/health.ts'
import type { ClusterStatus, HostStatus } from '../planes.ts'

/** Envoy's text form of /clusters. */
export function clustersText(clusters: readonly ClusterStatus[]): string {
  let out = ''
  for (const { name, limits, hosts, outlier } of [...clusters].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    out += `${name}::observability_name::${name}\n`
    if (outlier !== undefined) {
      out += `${name}::outlier::success_rate_average::${outlier.average}\n`
      out += `${name}::outlier::success_rate_ejection_threshold::${outlier.threshold}\n`
      out += `${name}::outlier::local_origin_success_rate_average::${outlier.localOriginAverage}\n`
      out += `${name}::outlier::local_origin_success_rate_ejection_threshold::${outlier.localOriginThreshold}\n`
    }
    out += `${name}::default_priority::max_connections::${limits.maxConnections}\n`
    out += `${name}::default_priority::max_pending_requests::${limits.maxPendingRequests}\n`
    out += `${name}::default_priority::max_requests::${limits.maxRequests}\n`
    out += `${name}::default_priority::max_retries::${limits.maxRetries}\n`
    for (const host of hosts) {
      const at = `${name}::${host.key}`
      out += `${at}::cx_active::${host.connections}\n`
      out += `${at}::rq_active::${host.activeRequests}\n`
      out += `${at}::rq_total::${host.totalRequests}\n`
      out += `${at}::health_flags::${healthFlagsText(host.healthFlags)}\n`
      out += `${at}::weight::${host.endpoint.weight}\n`
      out += `${at}::priority::${host.endpoint.priority}\n`
      out += localityText(at, host.endpoint.locality)
      out += `${at}::success_rate::${host.successRate}\n`
      out += `${at}::local_origin_success_rate::${host.localOriginSuccessRate}\n`
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

function healthStatus({ healthFlags }: HostStatus): unknown {
  const has = (flag: number) => (healthFlags & flag) !== 0
  const failed = has(HEALTH_FLAG.failedEds)
  return {
    eds_health_status: failed ? 'UNHEALTHY' : has(HEALTH_FLAG.degradedEds) ? 'DEGRADED' : 'HEALTHY',
    ...(has(HEALTH_FLAG.failedActiveCheck) && { failed_active_health_check: true }),
    ...(has(HEALTH_FLAG.failedOutlierCheck) && { failed_outlier_check: true }),
    ...(has(HEALTH_FLAG.degradedActiveCheck) && { failed_active_degraded_check: true }),
    ...(has(HEALTH_FLAG.pendingRemoval) && { pending_dynamic_removal: true }),
    ...(has(HEALTH_FLAG.immediateFailure) && { excluded_via_immediate_hc_fail: true }),
    ...(has(HEALTH_FLAG.activeCheckTimeout) && { active_hc_timeout: true }),
  }
}

/** envoy.type.v3.Percent, absent where there is no rate. */
function percent(name: string, value: number | undefined): object {
  return value === undefined || value < 0 ? {} : { [name]: { value } }
}

function clusterStatus({ name, resourceVersion, hosts, outlier }: ClusterStatus): unknown {
  return {
    name,
    added_via_api: resourceVersion !== 'static',
    ...percent('success_rate_ejection_threshold', outlier?.threshold),
    ...percent('local_origin_success_rate_ejection_threshold', outlier?.localOriginThreshold),
    host_statuses: hosts.map((host) => statusOf(host)),
  }
}

function statusOf(host: HostStatus): unknown {
  const { endpoint, connections, activeRequests, totalRequests } = host
  return {
    address:
      endpoint.unixPath === ''
        ? { socket_address: { address: endpoint.address, port_value: endpoint.port } }
        : { pipe: { path: endpoint.unixPath } },
    stats: [
      { name: 'cx_active', type: 'GAUGE', value: String(connections) },
      { name: 'rq_active', type: 'GAUGE', value: String(activeRequests) },
      { name: 'rq_total', value: String(totalRequests) },
    ],
    health_status: healthStatus(host),
    ...percent('success_rate', host.successRate),
    ...percent('local_origin_success_rate', host.localOriginSuccessRate),
    weight: endpoint.weight,
    priority: endpoint.priority,
    locality: localityOf(endpoint.locality),
  }
}
