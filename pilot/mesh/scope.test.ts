import { expect, test } from '@jest/globals'
import { MeshError } from '../../lib/errors.ts'
import { Memo } from '../memo.ts'
import { generationOf, istio, kubernetes, node, serviceYaml } from '../testing/mesh.ts'
import { resolveNode } from './node.ts'
import type { MeshOptions } from './options.ts'
import { type NodeScope, scopeOfNode } from './scope.ts'

const services =
  serviceYaml('a') + serviceYaml('b', undefined, 'other') + serviceYaml('c', [{ name: 'tcp', port: 1 }], 'third')

function scope(yaml: string, id = {}, metadata = {}, mesh: Partial<MeshOptions> = {}): NodeScope {
  const generation = generationOf(yaml, mesh)
  return scopeOfNode(resolveNode(node(id, metadata), generation.registry.workloads), generation, new Memo())
}

function names(of: NodeScope): string[] {
  return of.services.services.map((service) => service.name)
}

test('without a Sidecar everything is imported', () => {
  expect(names(scope(services))).toEqual(['a', 'b', 'c'])
})

test('a Sidecar by selector goes before that of the namespace, and that before the one of the root namespace', () => {
  const sidecar = (name: string, namespace: string, hosts: string[], labels?: object) =>
    istio('Sidecar', name, { egress: [{ hosts }], ...(labels && { workloadSelector: { labels } }) }, namespace)
  const root = sidecar('root', 'istio-system', ['third/*'])
  const own = sidecar('own', 'default', ['other/*'])
  const selected = sidecar('selected', 'default', ['./*'], { app: 'x' })
  const labels = { LABELS: { app: 'x' } }
  expect(names(scope(services + root, {}, labels))).toEqual(['c'])
  expect(names(scope(services + root + own, {}, labels))).toEqual(['b'])
  expect(names(scope(services + root + own + selected, {}, labels))).toEqual(['a'])
  expect(names(scope(services + root + own + selected))).toEqual(['b'])
})

test('what an imported rule sends to is imported too; what is subtracted is not', () => {
  const rule = istio('VirtualService', 'r', {
    hosts: ['a'],
    http: [{ route: [{ destination: { host: 'c.third.svc.cluster.local' } }] }],
  })
  const sidecar = (hosts: string[]) => istio('Sidecar', 's', { egress: [{ hosts }] })
  expect(names(scope(services + rule + sidecar(['./*'])))).toEqual(['a', 'c'])
  expect(names(scope(services + sidecar(['*/*', '~other/*'])))).toEqual(['a', 'c'])
  expect(names(scope(services + sidecar(['~/*'])))).toEqual([])
})

test('a proxy is redirected to unless its Sidecar opens ports of its own, or the node says', () => {
  const bound = istio('Sidecar', 's', {
    egress: [{ port: { number: 80, protocol: 'HTTP', name: 'http' }, bind: '127.0.0.1', hosts: ['*/*'] }],
  })
  expect(scope(services).captured).toBe(true)
  expect(scope(services, {}, { INTERCEPTION_MODE: 'NONE' }).captured).toBe(false)
  expect(scope(services + bound).captured).toBe(false)
  expect(scope(services + bound, {}, { INTERCEPTION_MODE: 'REDIRECT' }).captured).toBe(true)
})

test('proxies of the same workload share a scope; labels that no rule asks for make no difference', () => {
  const deployed = services + kubernetes('Pod', 'a-1', { status: { podIP: '10.1.0.1' } }, { labels: { app: 'a' } })
  const key = (metadata: object) => scope(deployed, { ip: '10.9.9.9' }, metadata).key
  expect(key({ LABELS: { app: 'x', hash: '1' } })).toBe(key({ LABELS: { app: 'x', hash: '2' } }))
  // A label that a Service selects by decides which ports are opened for the workload.
  expect(key({ LABELS: { app: 'a' } })).not.toBe(key({ LABELS: { app: 'x' } }))
})

test('an id that is not understood is an error of the configuration', () => {
  const { registry } = generationOf(services)
  expect(() => resolveNode({ id: 'nonsense', cluster: '', metadata: {} }, registry.workloads)).toThrow(MeshError)
})

test('a workload is found by name, then by address, and its labels give way to those of the node', () => {
  const yaml = kubernetes('Pod', 'a-1', { status: { podIP: '10.1.0.1' } }, { labels: { app: 'a', v: '1' } })
  const { workloads } = generationOf(yaml).registry
  expect(resolveNode(node({ name: 'a-1' }, { LABELS: { v: '2' } }), workloads).labels).toEqual({ app: 'a', v: '2' })
  expect(resolveNode(node({ name: 'x', ip: '10.1.0.1' }), workloads).workload?.name).toBe('a-1')
  expect(resolveNode(node({ name: 'x', ip: '10.1.0.1', namespace: 'other' }), workloads).workload).toBeUndefined()
})

test('what the proxy itself tells of calls is reached, whatever its workload may call', () => {
  const sidecar = istio('Sidecar', 'x', { egress: [{ hosts: ['other/*'] }] })
  const provider = { name: 'otel', opentelemetry: { service: 'default/a.default.svc.cluster.local', port: 80 } }
  const mesh = { extensionProviders: [provider], defaultProviders: { tracing: ['otel'] } }
  const reached = scope(services + sidecar, {}, {}, mesh)
  expect(names(reached).sort()).toEqual(['a', 'b'])
  expect(reached.egress[0]?.services.services.map(({ name }) => name)).toEqual(['b'])
  expect(names(scope(services + sidecar, {}, {}, { ...mesh, defaultProviders: {} }))).toEqual(['b'])
})
