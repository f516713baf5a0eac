import { expect, test } from '@jest/globals'
import { compileStatic, parseBootstrap } from '../../../proxy/agent/bootstrap.ts'
import { PLAIN } from '../cases/shapes.ts'
import type { Hop } from '../hop.ts'
import { routeTable } from '../routes.ts'
import { envoyConfig } from './envoy.ts'
import { haproxyConfig } from './haproxy.ts'
import { nginxConfig } from './nginx.ts'

const hop: Hop = {
  ...PLAIN,
  routes: routeTable(9, 'prefix and header'),
  extraClusters: 2,
  port: 1,
  adminPort: 2,
  upstreamPort: 3,
  deadPort: 4,
  certificates: { certFile: '', keyFile: '', cert: '', key: '', caFile: '', bundleFile: '', remove: () => {} },
  dir: '/nowhere',
}

test('a route table has a third of each kind, and only its last route leads to the path /', () => {
  const table = routeTable(1000, 'prefix and header')
  expect(table).toHaveLength(1000)
  expect(table.filter(({ kind }) => kind === 'path')).toHaveLength(333)
  expect(table.filter(({ kind }) => kind === 'prefix and header')).toHaveLength(334)
  expect(table.filter(({ path }) => path === '/')).toEqual([{ path: '/', kind: 'prefix and header' }])
  expect(table.at(-1)?.path).toBe('/')
  expect(new Set(table.map(({ path }) => path)).size).toBe(1000)
})

test('every configuration leads the last route to the backend and the others to a port where nothing listens', () => {
  const { static_resources } = JSON.parse(envoyConfig(hop))
  const [manager] = static_resources.listeners[0].filter_chains[0].filters
  const { routes } = manager.typed_config.route_config.virtual_hosts[0]
  const clusters = routes.map((r: { route: { cluster: string } }) => r.route.cluster)
  expect(clusters).toEqual([...Array(8).fill('none'), 'up'])
  expect(haproxyConfig(hop).match(/use_backend none if/g)).toHaveLength(8)
  expect(haproxyConfig(hop)).toContain('use_backend up if { path_beg / } { req.hdr(x-version) -m reg ^v[0-9]+$ }')
  expect(nginxConfig(hop).match(/location \S+( \S+)? \{ return 503/g)).toHaveLength(8)
})

test('our own compiler takes the bootstrap', () => {
  const { listeners, clusters } = compileStatic(parseBootstrap(envoyConfig(hop), 'bench.json'), 'bench.json')
  expect([...listeners.keys()]).toEqual(['in'])
  expect([...clusters.keys()]).toEqual(['up', 'none', 'extra-0', 'extra-1'])
})
