import { expect, test } from '@jest/globals'
import { Memo } from '../../memo.ts'
import { resolveNode } from '../../mesh/node.ts'
import { scopeOfNode } from '../../mesh/scope.ts'
import { generationOf, istio, node, serviceYaml } from '../../testing/mesh.ts'
import type { SecurityPlan } from '../security/plan.ts'
import { passthroughChains } from './passthrough.ts'
import { type ListenerPlan, withSecurity } from './plan.ts'

const generation = generationOf(
  [
    serviceYaml('a', [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ]),
    serviceYaml('b', [{ name: 'tcp', port: 90 }], 'other'),
    istio('ServiceEntry', 'c', {
      hosts: ['c.example.org'],
      location: 'MESH_EXTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 443, name: 'tls', protocol: 'TLS' }],
      endpoints: [{ address: '192.0.2.1' }],
    }),
    istio('DestinationRule', 'a', { host: 'a', subsets: [{ name: 'v1', labels: { version: 'v1' } }] }),
    istio('Gateway', 'gw', {
      selector: { app: 'gw' },
      servers: [
        {
          port: { number: 15443, name: 'tls', protocol: 'TLS' },
          hosts: ['*.default.svc.cluster.local', '*.org'],
          tls: { mode: 'AUTO_PASSTHROUGH' },
        },
      ],
    }),
  ].join(''),
)
const proxy = resolveNode(node({ type: 'router' }, { LABELS: { app: 'gw' } }), generation.registry.workloads)
const scope = scopeOfNode(proxy, generation, new Memo())
const chains = passthroughChains(scope.gatewayPorts[0]!.servers[0]!, {
  services: scope.services.services,
  ruleOf: (service) => generation.destinationRules.find(scope, service),
  idleTimeoutOf: () => undefined,
})

test('a chain for each port and subset of the services of the mesh that the server’s hosts hold', () => {
  expect(chains.map(({ match, target }) => [match.serverNames, target.kind === 'tcp' && target.clusters])).toEqual(
    ['outbound_.80_._.a.default.svc.cluster.local', 'outbound_.80_.v1_.a.default.svc.cluster.local'].map((name) => [
      [name],
      [{ name, weight: 1 }],
    ]),
  )
  // Nothing that is not the mesh's own TLS.
  expect(chains.every(({ match }) => match.applicationProtocols?.every((one) => one.startsWith('istio')))).toBe(true)
})

test('policies on callers are for the workload behind', () => {
  const security = {} as SecurityPlan
  const plan = { chains: [...chains, { ...chains[0]!, passesTls: undefined }] } as unknown as ListenerPlan
  expect(withSecurity(plan, security).chains.map((chain) => chain.security)).toEqual([undefined, undefined, security])
})
