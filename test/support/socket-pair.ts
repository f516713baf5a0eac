import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Two ends of one connection over loopback. The near one is paused, so that only who is told to reads it. */
export interface SocketPair {
  readonly near: Socket
  readonly far: Socket
  close(): void
}

export async function socketPair(): Promise<SocketPair> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true }).pause()
  await once(near, 'connect')
  const [far] = (await accepted) as [Socket]
  const close = () => {
    near.destroy()
    far.destroy()
    server.close()
  }
  return { near, far, close }
}

export async function socketPairs(count: number): Promise<SocketPair[]> {
  return await Promise.all(Array.from({ length: count }, socketPair))
}
