import { Agent, createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { StaticProxy } from '../../support/static-proxy.ts'

/** How the last tier's server behaves: `refusals` means that there is none. */
export type Behaviour = 'healthy' | 'answers 503' | 'refusals' | 'time-outs'

export interface TierOptions {
  readonly retry: object
  /** They take each other for strangers, as with applications between them that pass nothing on. */
  readonly areStrangers?: boolean
  /** Fields of each tier's cluster: circuit breakers. */
  readonly cluster?: Record<string, unknown>
}

const TIERS = 3

/** Three proxies in a row, as calls go through a mesh, and a server behind the last one. */
export class ThreeTiers {
  behaviour: Behaviour = 'healthy'
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 200 })
  readonly #proxies: StaticProxy[] = []
  #server: Server | undefined
  #port = 0

  async start({ retry, cluster = {}, areStrangers = false }: TierOptions): Promise<void> {
    await this.#listen(0)
    let next = this.#port
    for (let tier = TIERS; tier >= 1; tier--) {
      const proxy = await StaticProxy.start({
        upstreams: [next],
        cluster,
        manager: managerOf(tier, retry, areStrangers),
      })
      this.#proxies.unshift(proxy)
      next = proxy.port
    }
  }

  async stop(): Promise<void> {
    this.#agent.destroy()
    for (const proxy of this.#proxies) await proxy.stop()
    this.#close()
  }

  async become(behaviour: Behaviour): Promise<void> {
    this.behaviour = behaviour
    if (behaviour === 'refusals') this.#close()
    else if (this.#server === undefined) await this.#listen(this.#port)
  }

  /** Tries that each tier has made so far: a connection that was refused is one. */
  tries(): number[] {
    return this.#proxies.map(
      (proxy) => proxy.metric('cluster.upstream_rq_total') + proxy.metric('cluster.upstream_cx_connect_fail'),
    )
  }

  /** So many calls, so many at a time. Returns how many were answered with 200. */
  async offer(calls: number, atOnce: number): Promise<number> {
    const port = this.#proxies[0]?.port ?? 0
    let left = calls
    let good = 0
    const worker = async () => {
      while (left-- > 0) if ((await this.#call(port)) === 200) good++
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    return good
  }

  #call(port: number): Promise<number> {
    return new Promise((resolve) => {
      const asked = request({ host: '127.0.0.1', port, method: 'POST', agent: this.#agent }, (response) => {
        response.resume()
        response.on('close', () => resolve(response.statusCode ?? 0))
      })
      asked.on('error', () => resolve(0))
      asked.end('pay')
    })
  }

  #listen(port: number): Promise<void> {
    const server = createServer((incoming, response) => {
      incoming.resume()
      if (this.behaviour === 'time-outs') return
      response.writeHead(this.behaviour === 'healthy' ? 200 : 503).end()
    })
    this.#server = server
    return new Promise((resolve) =>
      server.listen(port, '127.0.0.1', () => {
        this.#port = (server.address() as AddressInfo).port
        resolve()
      }),
    )
  }

  #close(): void {
    this.#server?.close()
    this.#server?.closeAllConnections()
    this.#server = undefined
  }
}

/** What the pilot writes, and that callers on this machine are inside. Only the first tier appends the client's address. */
function managerOf(tier: number, retry_policy: object, areStrangers: boolean): Record<string, unknown> {
  // Long enough that none of a healthy server passes it on a machine that stops for a while.
  const route = { cluster: 'upstream', timeout: '3s', retry_policy }
  return {
    use_remote_address: areStrangers || tier === 1,
    internal_address_config: {
      cidr_ranges: [{ address_prefix: areStrangers ? '10.0.0.0' : '127.0.0.0', prefix_len: 8 }],
    },
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          include_request_attempt_count: true,
          routes: [{ match: { prefix: '/' }, route }],
        },
      ],
    },
  }
}
