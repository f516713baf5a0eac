import { expect, test } from '@jest/globals'
import { parse, parseAllDocuments } from 'yaml'
import { loadFile } from '../../config/load.ts'
import { parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import { managementServer } from '../../proxy/agent/management-server.ts'
import { appSpec, bootstrapYaml, gatewayYaml, workloadYaml } from './config-text.ts'
import { endpointsOf, firstWorkloads, hostPort, layoutOf } from './layout.ts'

const layout = layoutOf('127.5.6')

test('the YAML of a workload is valid and names its addresses', () => {
  const text = workloadYaml(layout.reviewsV2)
  expect(loadFile('reviews-v2.yaml', text).findings).toEqual([])
  const [pod, sidecar] = parseAllDocuments(text).map((document) => document.toJS())
  expect(pod.status.podIP).toBe('127.5.6.22')
  expect(pod.metadata.labels).toMatchObject({ app: 'reviews', version: 'v2', 'security.istio.io/tlsMode': 'istio' })
  expect(pod.metadata.labels).toMatchObject(sidecar.spec.workloadSelector.labels)
  expect(sidecar.spec.ingress[0]).toMatchObject({ bind: '127.5.6.22', defaultEndpoint: '0.0.0.0:9081' })
  expect(sidecar.spec.egress[0]).toMatchObject({ bind: '127.5.6.122', port: { number: 9080 } })
})

test('the YAML of the gateway is valid', () => {
  const text = gatewayYaml('127.5.6.2', { host: '127.0.0.1', port: 8080 })
  expect(loadFile('gateway.yaml', text).findings).toEqual([])
  const [pod, gateway] = parseAllDocuments(text).map((document) => document.toJS())
  expect(gateway.spec.selector).toEqual(pod.metadata.labels)
  expect(gateway.spec.servers[0]).toMatchObject({ bind: '127.0.0.1', port: { number: 8080 } })
})

test('the bootstrap says who the proxy is and where the pilot is', () => {
  const node = {
    type: 'sidecar',
    name: 'reviews-v1',
    ip: '127.5.6.21',
    labels: { app: 'reviews' },
    account: 'a',
  } as const
  const text = bootstrapYaml(node, layout.reviewsV1.admin, layout.xds)
  const bootstrap = parseBootstrap(text, 'bootstrap.yaml')
  expect(bootstrap.node?.id).toBe('sidecar~127.5.6.21~reviews-v1.default~default.svc.cluster.local')
  expect(managementServer(bootstrap, 'bootstrap.yaml')?.server).toMatchObject({
    target: '127.5.6.1:15010',
    useDelta: true,
  })
  expect(parse(text).admin.address.socket_address).toEqual({ address: '127.5.6.21', port_value: 15000 })
})

test('an app is told to listen behind its sidecar and to call through it', () => {
  expect(appSpec(layout.reviewsV1)).toBe(
    'reviews,version=v1,listen=127.5.6.21:9081,via=127.5.6.121:9080,pod=reviews-v1',
  )
})

test('no two things are at one address', () => {
  const endpoints = endpointsOf('127.5.6').map(hostPort)
  expect(new Set(endpoints).size).toBe(endpoints.length)
  expect(firstWorkloads(layout).map(({ name }) => name)).not.toContain('reviews-v2')
})
