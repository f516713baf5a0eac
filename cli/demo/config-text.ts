import type { Endpoint } from './addresses.ts'
import { hostPort, SERVICE_PORT, type Workload } from './layout.ts'

export const NAMESPACE = 'default'
export const GATEWAY_NAME = 'istio-ingressgateway'
export const GATEWAY_ACCOUNT = 'bookinfo-gateway'
export const GATEWAY_LABELS: Readonly<Record<string, string>> = { istio: 'ingressgateway' }

/** The service account that the workloads of a service run under, in Bookinfo. */
export function accountOf(service: string): string {
  return `bookinfo-${service}`
}

/** What Kubernetes would know of a running pod, and where its sidecar listens without any capture of traffic. */
export function workloadYaml({ name, service, version, ip, app, egress }: Workload): string {
  return `apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  # The last says that its sidecar has an identity: the injector would write it.
  labels: { app: ${service}, version: ${version}, security.istio.io/tlsMode: istio }
spec:
  serviceAccountName: ${accountOf(service)}
status:
  podIP: ${ip}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata:
  name: ${name}
spec:
  workloadSelector:
    labels: { app: ${service}, version: ${version} }
  ingress:
    - port: { name: http, number: ${SERVICE_PORT}, protocol: HTTP }
      bind: ${ip}
      captureMode: NONE
      defaultEndpoint: 0.0.0.0:${app.port} # 0.0.0.0 is the pod's own address
  egress:
    - port: { name: http, number: ${egress.port}, protocol: HTTP }
      bind: ${egress.host}
      captureMode: NONE
      hosts: ['./*']
`
}

/** The ingress gateway: its pod, and the Gateway of Bookinfo at an address that a browser can open. */
export function gatewayYaml(gatewayIp: string, { host, port }: Endpoint): string {
  return `apiVersion: v1
kind: Pod
metadata:
  name: ${GATEWAY_NAME}
  labels: ${flowMap(GATEWAY_LABELS)}
spec:
  serviceAccountName: ${GATEWAY_ACCOUNT}
status:
  podIP: ${gatewayIp}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: bookinfo-gateway
spec:
  selector: ${flowMap(GATEWAY_LABELS)}
  servers:
    - port: { name: http, number: ${port}, protocol: HTTP }
      bind: ${host}
      hosts: ['*']
`
}

export interface BootstrapNode {
  readonly type: 'sidecar' | 'router'
  readonly name: string
  readonly ip: string
  readonly labels: Readonly<Record<string, string>>
  readonly account: string
}

/** The Envoy bootstrap of one proxy: who it is, where its admin page is, and where the pilot is. */
export function bootstrapYaml(node: BootstrapNode, admin: Endpoint, xds: Endpoint): string {
  return `node:
  id: ${node.type}~${node.ip}~${node.name}.${NAMESPACE}~${NAMESPACE}.svc.cluster.local
  cluster: ${node.name}.${NAMESPACE}
  # What an injector would write: metrics and traces say who called whom by it.
  metadata:
    NAME: ${node.name}
    NAMESPACE: ${NAMESPACE}
    WORKLOAD_NAME: ${node.name}
    MESH_ID: cluster.local
    CLUSTER_ID: Kubernetes
    LABELS: ${flowMap(node.labels)}
admin:
  address: ${socketAddress(admin)}
dynamic_resources:
  ads_config:
    api_type: DELTA_GRPC
    transport_api_version: V3
    grpc_services: [{ envoy_grpc: { cluster_name: xds-grpc } }]
  cds_config: { ads: {}, resource_api_version: V3 }
  lds_config: { ads: {}, resource_api_version: V3 }
static_resources:
  clusters:
    - name: xds-grpc
      type: STATIC
      connect_timeout: 1s
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
      load_assignment:
        cluster_name: xds-grpc
        endpoints: [{ lb_endpoints: [{ endpoint: { address: ${socketAddress(xds)} } }] }]
`
}

/** How the Bookinfo program is told to run one workload. */
export function appSpec({ service, version, name, app, egress }: Workload): string {
  return `${service},version=${version},listen=${hostPort(app)},via=${hostPort(egress)},pod=${name}`
}

function socketAddress({ host, port }: Endpoint): string {
  return `{ socket_address: { address: ${host}, port_value: ${port} } }`
}

function flowMap(values: Readonly<Record<string, string>>): string {
  return `{ ${Object.entries(values)
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ')} }`
}
