import { expect, test } from '@jest/globals'
import { generationOf, istio, kubernetes, serviceYaml } from '../testing/mesh.ts'

const HOST = 'web.default.svc.cluster.local'
const service = serviceYaml('web', [{ name: 'http', port: 80, targetPort: 'web' }])

function pod(name: string, ip: string, status: object = {}, containerPort = 8080): string {
  const spec = { containers: [{ ports: [{ name: 'web', containerPort }] }] }
  return kubernetes('Pod', name, { spec, status: { podIP: ip, ...status } }, { labels: { app: 'web', pod: name } })
}

function endpoints(yaml: string, host = HOST, port = 80) {
  const { registry } = generationOf(yaml)
  const found = registry.services.find((candidate) => candidate.host === host)
  if (found === undefined) throw new Error(`no ${host}`)
  return (registry.endpointsOf(found).get(port) ?? []).map(
    (e) => `${e.address}:${e.port}${e.ready ? '' : ' not ready'}`,
  )
}

const slice = kubernetes(
  'EndpointSlice',
  'web-1',
  {
    addressType: 'IPv4',
    endpoints: [
      { addresses: ['10.1.0.1'], targetRef: { kind: 'Pod', name: 'a' } },
      { addresses: ['10.1.0.9'], conditions: { ready: false } },
    ],
    ports: [{ name: 'http', port: 8081 }],
  },
  { labels: { 'kubernetes.io/service-name': 'web' }, apiVersion: 'discovery.k8s.io/v1' },
)
const endpointsObject = kubernetes('Endpoints', 'web', {
  subsets: [
    { addresses: [{ ip: '10.1.0.2' }], notReadyAddresses: [{ ip: '10.1.0.3' }], ports: [{ name: 'http', port: 8082 }] },
  ],
})
const entry = istio('WorkloadEntry', 'vm', { address: '10.9.0.1', labels: { app: 'web' }, ports: { http: 9000 } })

test('EndpointSlices go before Endpoints, Endpoints before Pods; WorkloadEntries come on top', () => {
  const pods = pod('a', '10.1.0.1') + pod('b', '10.1.0.4', {}, 8888)
  expect(endpoints(service + pods + slice + endpointsObject)).toEqual(['10.1.0.1:8081', '10.1.0.9:8081 not ready'])
  expect(endpoints(service + pods + endpointsObject)).toEqual(['10.1.0.2:8082', '10.1.0.3:8082 not ready'])
  expect(endpoints(service + pods)).toEqual(['10.1.0.1:8080', '10.1.0.4:8888'])
  expect(endpoints(service + pods + entry)).toEqual(['10.1.0.1:8080', '10.1.0.4:8888', '10.9.0.1:9000'])
})

test('an endpoint takes its labels from the Pod of its reference or address', () => {
  const { registry } = generationOf(service + pod('a', '10.1.0.77') + slice)
  const found = registry.endpointsOf(registry.services[0]!).get(80)
  expect(found?.[0]?.labels).toEqual({ app: 'web', pod: 'a' })
})

test('a Pod is ready as its condition says, else as its phase does', () => {
  const condition = (status: string) => ({ phase: 'Running', conditions: [{ type: 'Ready', status }] })
  const pods =
    pod('a', '10.1.0.1', condition('True')) +
    pod('b', '10.1.0.2', condition('False')) +
    pod('c', '10.1.0.3', { phase: 'Failed' })
  expect(endpoints(service + pods)).toEqual(['10.1.0.1:8080', '10.1.0.2:8080 not ready', '10.1.0.3:8080 not ready'])
})

test('a Deployment without Pods stands for one workload without address', () => {
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [] } }
  const deployment = kubernetes('Deployment', 'web-v1', { spec: { template } }, { apiVersion: 'apps/v1' })
  const alone = generationOf(service + deployment).registry.workloads
  expect(alone.byName('default', 'web-v1')?.labels).toEqual({ app: 'web' })
  expect(
    generationOf(service + deployment + pod('a', '10.1.0.1')).registry.workloads.byName('default', 'web-v1'),
  ).toBeUndefined()
  expect(endpoints(service + deployment)).toEqual([])
})

test('a Kubernetes Service owns its host against ServiceEntries; of those the oldest, helped by those alike', () => {
  const se = (name: string, host: string, ports: object[], extra = {}) =>
    istio('ServiceEntry', name, {
      hosts: [host],
      resolution: 'STATIC',
      ports,
      endpoints: [{ address: name === 'first' ? '10.5.0.1' : '10.5.0.2' }],
      ...extra,
    })
  const http = { number: 80, name: 'http', protocol: 'HTTP' }
  const tcp = { number: 81, name: 'tcp', protocol: 'TCP' }
  const generation = generationOf(
    service +
      se('squatter', HOST, [tcp]) +
      se('first', 'a.b', [http]) +
      se('second', 'a.b', [http, tcp]) +
      se('other', 'a.b', [{ ...tcp, number: 82 }], { location: 'MESH_INTERNAL', resolution: 'DNS' }),
  )
  const { byHost } = generation.visibleServices('default')
  expect(byHost.get(HOST)?.ports.map((port) => port.number)).toEqual([80])
  const merged = byHost.get('a.b')!
  expect(merged.ports.map((port) => port.number)).toEqual([80, 81])
  const addresses = (port: number) =>
    generation.registry
      .endpointsOf(merged)
      .get(port)
      ?.map((e) => e.address)
  expect(addresses(80)).toEqual(['10.5.0.1', '10.5.0.2'])
  expect(addresses(81)).toEqual(['10.5.0.2'])
})

test('a ServiceEntry selects WorkloadEntries and Pods of its namespace', () => {
  const se = istio('ServiceEntry', 'se', {
    hosts: ['web.example.com'],
    resolution: 'STATIC',
    workloadSelector: { labels: { app: 'web' } },
    ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 7000 }],
  })
  expect(endpoints(se + pod('a', '10.1.0.1') + entry, 'web.example.com')).toEqual(['10.1.0.1:7000', '10.9.0.1:9000'])
})
