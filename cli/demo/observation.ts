import { stringify } from 'yaml'
import type { Endpoint } from './addresses.ts'
import { GATEWAY_NAME, NAMESPACE } from './config-text.ts'
import { firstWorkloads, hostPort, type Layout } from './layout.ts'

/** How Prometheus finds everything that counts: all sidecars, the gateway and the pilot. */
export function prometheusYaml(layout: Layout): string {
  const { pilot, gatewayAdmin, reviewsV2 } = layout
  const pods = [...firstWorkloads(layout), reviewsV2].map(({ name, admin }) => ({ pod: name, admin }))
  const proxies = [...pods, { pod: GATEWAY_NAME, admin: gatewayAdmin }].map(({ pod, admin }) => ({
    targets: [hostPort(admin)],
    labels: { pod, namespace: NAMESPACE },
  }))
  return stringify({
    global: { scrape_interval: '2s' },
    scrape_configs: [
      { job_name: 'envoy-stats', metrics_path: '/stats/prometheus', static_configs: proxies },
      {
        job_name: 'pilot',
        static_configs: [{ targets: [hostPort(pilot)], labels: { pod: 'pilot', namespace: NAMESPACE } }],
      },
    ],
  })
}

const ZIPKIN_HOST = 'zipkin.observation.local'

/** The collector of spans, as a service that is not of the mesh. */
export function collectorYaml({ host, port }: Endpoint): string {
  return stringify({
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: 'zipkin' },
    spec: {
      hosts: [ZIPKIN_HOST],
      location: 'MESH_EXTERNAL',
      ports: [{ name: 'http', number: port, protocol: 'HTTP' }],
      resolution: 'STATIC',
      endpoints: [{ address: host }],
    },
  })
}

/** A mesh that tells a collector of every call. */
export function tracedMeshYaml({ port }: Endpoint): string {
  return stringify({
    defaultConfig: { tracing: { sampling: 100 } },
    defaultProviders: { tracing: ['zipkin'] },
    extensionProviders: [{ name: 'zipkin', zipkin: { service: ZIPKIN_HOST, port } }],
  })
}
