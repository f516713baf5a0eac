import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { eventually } from '../../support/eventually.ts'
import { LineServer } from '../../support/line-server.ts'
import { cluster, listener, resources, tcpChain, typed } from '../../support/static-resources.ts'

const closing: { close(): void }[] = []
afterEach(() => {
  for (const one of closing.splice(0)) one.close()
})

function limitedChain(delay: string): object {
  const limit = typed('filters.network.connection_limit.v3.ConnectionLimit', {
    stat_prefix: 'p',
    max_connections: 2,
    delay,
  })
  const chain = tcpChain('c') as { filters: object[] }
  return { filters: [{ name: 'limit', typed_config: limit }, ...chain.filters] }
}

/** A client that has been greeted, or closed without a word. */
async function dial(port: number): Promise<{ socket: Socket; greeting: string }> {
  const socket = connect(port, '127.0.0.1')
  const greeting = await new Promise<string>((resolve) => {
    socket.on('error', () => {})
    socket.once('data', (chunk) => resolve(chunk.toString()))
    socket.once('close', () => resolve(''))
  })
  return { socket, greeting }
}

test('a connection limit closes what is above it, after a delay, until others have gone', async () => {
  const clock = new ManualClock()
  const proxy = new BootstrapProxy({ clock })
  const server = new LineServer('s')
  closing.push(proxy, server)
  const port = await server.listen()
  const chain = (delay: string) =>
    resources([listener('l', { filter_chains: [limitedChain(delay)] })], [cluster('c', [port])])
  await proxy.serve(chain('0s'))
  const first = await dial(proxy.port('l'))
  const second = await dial(proxy.port('l'))
  expect([first.greeting, second.greeting]).toEqual(['s\n', 's\n'])
  expect((await dial(proxy.port('l'))).greeting).toBe('')
  expect(proxy.stat('connection_limit.limited_connections')).toBe(1)
  // A changed configuration counts on.
  await proxy.serve(chain('1s'))
  const third = dial(proxy.port('l'))
  await eventually(() => expect(proxy.stat('connection_limit.limited_connections')).toBe(2))
  expect(proxy.plane.connectionCount).toBe(3)
  clock.advance(1100)
  expect((await third).greeting).toBe('')
  first.socket.destroy()
  await eventually(() => expect(proxy.stat('connection_limit.active_connections')).toBe(1))
  expect((await dial(proxy.port('l'))).greeting).toBe('s\n')
  expect(server.connections).toBe(3)
})

test('all listeners together take no more than the proxy may', async () => {
  const proxy = new BootstrapProxy({ maxDownstreamConnections: 2 })
  const server = new LineServer('s')
  closing.push(proxy, server)
  const port = await server.listen()
  const chains = { filter_chains: [tcpChain('c')] }
  await proxy.serve(resources([listener('one', chains), listener('two', chains)], [cluster('c', [port])]))
  const first = await dial(proxy.port('one'))
  const second = await dial(proxy.port('two'))
  expect((await dial(proxy.port('two'))).greeting).toBe('')
  expect(proxy.stat('listener.downstream_global_cx_overflow')).toBe(1)
  second.socket.destroy()
  await eventually(() => expect(proxy.plane.budget.used).toBe(1))
  expect((await dial(proxy.port('one'))).greeting).toBe('s\n')
  first.socket.destroy()
})
