import { connect } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { BootstrapProxy } from '../support/bootstrap-proxy.ts'
import { eventually } from '../support/eventually.ts'
import { LineServer } from '../support/line-server.ts'
import { sendRaw } from '../support/raw-http.ts'
import { cluster, forwardChain, listener, resources, tcpChain, typed } from '../support/static-resources.ts'

/** Rules about callers, in a proxy that runs. */

const closing: { close(): void }[] = []
afterEach(() => {
  for (const one of closing.splice(0)) one.close()
})

async function started(): Promise<BootstrapProxy> {
  const proxy = new BootstrapProxy()
  closing.push(proxy)
  return proxy
}

const rules = (policy: object, action = 'DENY') => ({
  action,
  policies: { p: { principals: [{ any: true }], ...policy } },
})
const ask = (port: number, path: string, host = 'h') =>
  sendRaw('127.0.0.1', port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)

test('who may not call is told so before anything else, and counted', async () => {
  const proxy = await started()
  const deny = rules({ permissions: [{ url_path: { path: { prefix: '/closed' } } }] })
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    route_config: {
      virtual_hosts: [
        { name: 'v', domains: ['h'], routes: [{ match: { prefix: '/' }, direct_response: { status: 204 } }] },
      ],
    },
    http_filters: [
      { name: 'envoy.filters.http.rbac', typed_config: typed('filters.http.rbac.v3.RBAC', { rules: deny }) },
      { name: 'router', typed_config: typed('filters.http.router.v3.Router') },
    ],
  })
  await proxy.serve(
    resources([listener('l', { filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] })]),
  )
  const port = proxy.port('l')
  expect((await ask(port, '/open')).status).toBe(204)
  expect(await ask(port, '/closed')).toMatchObject({ status: 403, body: 'RBAC: access denied' })
  // Nor does it learn which hosts there are.
  expect((await ask(port, '/open', 'other')).status).toBe(404)
  expect((await ask(port, '/closed', 'other')).status).toBe(403)
  expect([proxy.stat('http.rbac.allowed'), proxy.stat('http.rbac.denied')]).toEqual([2, 2])
})

test('a connection that is not allowed is closed before its upstream hears of it', async () => {
  const proxy = await started()
  const server = new LineServer('s')
  closing.push(server)
  const upstream = cluster('c', [await server.listen()])
  const chain = (prefix: string, inner: object) => {
    const allow = rules(
      { permissions: [{ any: true }], principals: [{ direct_remote_ip: { address_prefix: prefix, prefix_len: 32 } }] },
      'ALLOW',
    )
    const config = typed('filters.network.rbac.v3.RBAC', { stat_prefix: 'tcp.', rules: allow })
    const { filters } = inner as { filters: object[] }
    return { filters: [{ name: 'rbac', typed_config: config }, ...filters] }
  }
  const listeners = [
    listener('open', { filter_chains: [chain('127.0.0.1', tcpChain('c'))] }),
    listener('closed', { filter_chains: [chain('192.0.2.1', tcpChain('c'))] }),
    listener('http', { filter_chains: [chain('192.0.2.1', forwardChain('c'))] }),
  ]
  await proxy.serve(resources(listeners, [upstream]))
  expect(await greeting(proxy.port('open'))).toBe('s\n')
  expect(await greeting(proxy.port('closed'))).toBe('')
  expect(await greeting(proxy.port('http'))).toBe('')
  await eventually(() => expect(proxy.stat('tcp.rbac.denied')).toBe(2))
  expect(proxy.stat('tcp.rbac.allowed')).toBe(1)
  expect(proxy.stat('cluster.upstream_cx_total')).toBe(1)
})

/** What the server says first; '' for a connection that is closed without a word. */
function greeting(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.once('data', (chunk) => {
      socket.destroy()
      resolve(chunk.toString())
    })
    socket.once('close', () => resolve(''))
  })
}
