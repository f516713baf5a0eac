import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { HttpLoad } from '../support/http-load.ts'
import { loopbackBlock } from '../support/mesh.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/** Routes and weighted clusters that ask for a subset of a cluster's hosts get it. What a subset is, is tested beside its code. */

const block = loopbackBlock()
const HOSTS = { v1: `${block}.1`, v2: `${block}.2`, v3: `${block}.3` }
let server: Server
let proxy: StaticProxy
let load: HttpLoad

beforeAll(async () => {
  server = createServer((request, response) => {
    response.setHeader('x-from-upstream', request.socket.localAddress ?? '')
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
  const { port } = server.address() as AddressInfo
  const match = (version: string) => ({ metadata_match: { filter_metadata: { 'envoy.lb': { version } } } })
  const lbEndpoints = Object.entries(HOSTS).map(([version, address]) => ({
    endpoint: { address: { socket_address: { address, port_value: port } } },
    metadata: { filter_metadata: { 'envoy.lb': { version } } },
  }))
  const weighted = (...versions: string[]) => ({
    clusters: versions.map((version) => ({ name: 'upstream', weight: 1, ...match(version) })),
  })
  const routes = [
    { match: { prefix: '/v1' }, route: { cluster: 'upstream', ...match('v1') } },
    { match: { prefix: '/either' }, route: { weighted_clusters: weighted('v1', 'v2'), ...match('v3') } },
    { match: { prefix: '/none' }, route: { cluster: 'upstream', ...match('v9') } },
    { match: { prefix: '/' }, route: { cluster: 'upstream' } },
  ]
  proxy = await StaticProxy.start({
    upstreams: [],
    manager: { route_config: { name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes }] } },
    cluster: {
      lb_subset_config: { subset_selectors: [{ keys: ['version'] }] },
      load_assignment: { cluster_name: 'upstream', endpoints: [{ lb_endpoints: lbEndpoints }] },
    },
  })
  load = new HttpLoad('127.0.0.1', proxy.port)
}, 20_000)

afterAll(async () => {
  load.close()
  await proxy.stop()
  server.closeAllConnections()
  server.close()
})

test.each([
  ['/v1', [HOSTS.v1], []],
  ['/either', [HOSTS.v1, HOSTS.v2], []],
  ['/none', [], ['status 503 no healthy upstream']],
  ['/', [], ['status 503 no healthy upstream']],
])('%s', async (path, hosts, failures) => {
  const { byServer, errors } = await load.run(60, () => ({ host: 'h', path }))
  expect(Object.keys(byServer).sort()).toEqual(hosts)
  expect([...new Set(errors)]).toEqual(failures)
})
