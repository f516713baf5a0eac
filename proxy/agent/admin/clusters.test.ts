import { expect, test } from '@jest/globals'
import { HEALTH_FLAG } from '../../upstream/health.ts'
import { endpointAt } from '../../upstream/outlier/testing.ts'
import { type ClusterStatus, type HostStatus, mergedStatuses } from '../planes.ts'
import { clustersJson, clustersText } from './clusters.ts'

/** What the page of clusters says of hosts that are not well. */

function host(port: number, healthFlags: number, fields: Partial<HostStatus> = {}): HostStatus {
  const counts = { connections: 0, activeRequests: 0, totalRequests: 0, successRate: -1, localOriginSuccessRate: -1 }
  return { key: `127.0.0.1:${port}`, endpoint: endpointAt(port), healthFlags, ...counts, ...fields }
}

function cluster(hosts: readonly HostStatus[], outlier?: ClusterStatus['outlier']): ClusterStatus {
  const limits = { maxConnections: 1, maxPendingRequests: 1, maxRequests: 1, maxRetries: 1 }
  return { name: 'c', limits: limits as ClusterStatus['limits'], resourceVersion: '1', hosts, outlier }
}

const OUTLIER = { average: 90, threshold: 52, localOriginAverage: -1, localOriginThreshold: -1 }

test('flags and rates as text', () => {
  const flags = HEALTH_FLAG.failedActiveCheck | HEALTH_FLAG.failedOutlierCheck | HEALTH_FLAG.failedEds
  const lines = clustersText([cluster([host(1, 0), host(2, flags, { successRate: 50 })], OUTLIER)]).split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      'c::outlier::success_rate_average::90',
      'c::outlier::success_rate_ejection_threshold::52',
      'c::outlier::local_origin_success_rate_ejection_threshold::-1',
      'c::127.0.0.1:1::health_flags::healthy',
      'c::127.0.0.1:1::success_rate::-1',
      'c::127.0.0.1:2::health_flags::/failed_active_hc/failed_outlier_check/failed_eds_health',
      'c::127.0.0.1:2::success_rate::50',
    ]),
  )
  expect(clustersText([cluster([host(1, 0)])])).not.toContain('outlier')
})

test('flags and rates as JSON', () => {
  const flags = HEALTH_FLAG.failedOutlierCheck | HEALTH_FLAG.degradedActiveCheck | HEALTH_FLAG.pendingRemoval
  expect(clustersJson([cluster([host(1, flags, { successRate: 12.5 })], OUTLIER)])).toMatchObject({
    cluster_statuses: [
      {
        success_rate_ejection_threshold: { value: 52 },
        host_statuses: [
          {
            success_rate: { value: 12.5 },
            health_status: {
              eds_health_status: 'HEALTHY',
              failed_outlier_check: true,
              failed_active_degraded_check: true,
              pending_dynamic_removal: true,
            },
          },
        ],
      },
    ],
  })
})

test('what several threads say of one host is one', () => {
  const one = cluster([host(1, 0, { activeRequests: 2 })], { ...OUTLIER, average: -1, threshold: -1 })
  const two = cluster([host(1, HEALTH_FLAG.failedOutlierCheck, { activeRequests: 3 })], OUTLIER)
  const [merged] = mergedStatuses([[one], [two]])
  expect(merged?.outlier).toEqual(OUTLIER)
  expect(merged?.hosts).toEqual([
    expect.objectContaining({ activeRequests: 5, healthFlags: HEALTH_FLAG.failedOutlierCheck }),
  ])
})
