import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from '@jest/globals'
import { MemorySource } from '../../../config/sources/memory.ts'
import type { Agent } from '../../../proxy/agent/agent.ts'
import { eventually } from '../../support/eventually.ts'
import { HttpLoad, type LoadCounts } from '../../support/http-load.ts'
import { calling, IdentityMesh, type Member, member, meshMode, serving } from '../../support/identity-mesh.ts'
import { canConnect, loopbackBlock } from '../../support/mesh.ts'

const PORT = 9080

/** What a mesh did while something was done to it. */
export interface UnderLoad {
  readonly errors: readonly string[]
  readonly sent: number
  /** Of servers of ours. */
  readonly handshakes: number
  /** Handshakes that came to nothing, certificates that were not believed, and requests that were tried again. */
  readonly failures: readonly number[]
}

/**
 * Proxies of ours and, where there is one, real Envoys, that call each other by mutual TLS, which is a must: over connections that are
 * kept, and over a new one for each request, so that there are handshakes all the time.
 */
export class BusyMesh {
  readonly mesh: IdentityMesh
  readonly #source: MemorySource
  readonly #app: Server
  readonly #agents: Agent[] = []
  readonly #pairs: readonly (readonly [from: Member, to: Member])[]

  private constructor(source: MemorySource, app: Server, mesh: IdentityMesh, pairs: BusyMesh['pairs']) {
    this.#source = source
    this.#app = app
    this.mesh = mesh
    this.#pairs = pairs
  }

  get pairs(): readonly (readonly [from: Member, to: Member])[] {
    return this.#pairs
  }

  /** `envoy` is the path of a real one; certificates live so many seconds, and are renewed at about half of it. */
  static async start(envoy: string | undefined, lifeSeconds: number): Promise<BusyMesh> {
    const block = loopbackBlock()
    const [caller, envoyCaller] = [member('caller', `${block}.11`), member('envoy-caller', `${block}.12`)]
    const [kept, anew] = [member('kept', `${block}.21`), member('anew', `${block}.22`)]
    const envoyKept = member('envoy-kept', `${block}.23`)
    const app = createServer((_, response) => response.end('hello'))
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
    const { port } = app.address() as AddressInfo
    const servers = [kept, anew, envoyKept].map((one) => serving(one, PORT, port))
    const callers = [caller, envoyCaller].map((one) => calling(one, PORT))
    const source = new MemorySource({
      'mesh.yaml': [...servers, ...callers].join(''),
      'anew.yaml': ONE_REQUEST_A_CONNECTION,
      'mode.yaml': meshMode('STRICT'),
    })
    expect(source.current().findings).toEqual([])
    const ours = [
      [caller, kept],
      [caller, anew],
    ] as const
    const withEnvoy = [
      [caller, envoyKept],
      [envoyCaller, kept],
      [envoyCaller, anew],
    ] as const
    const pairs = envoy === undefined ? ours : [...ours, ...withEnvoy]
    const busy = new BusyMesh(source, app, new IdentityMesh(source, lifeSeconds), pairs)
    await busy.mesh.start()
    for (const one of [caller, kept, anew]) busy.#agents.push(await busy.mesh.addProxy(one))
    if (envoy !== undefined) for (const one of [envoyCaller, envoyKept]) await busy.mesh.addEnvoy(envoy, one)
    for (const { ip } of new Set(pairs.flat())) await eventually(() => canConnect(ip, PORT), 30_000)
    return busy
  }

  /** Requests of every pair until `during` is over. */
  async underLoad(during: () => Promise<unknown>): Promise<UnderLoad> {
    await this.#everyPairAnswers()
    const [failedBefore, shookBefore] = [this.#failures(), this.#handshakes()]
    const counts: LoadCounts = { byServer: {}, errors: [] }
    let [isOver, sent] = [false, 0]
    const running = this.#pairs.map(async ([from, to]) => {
      const load = new HttpLoad(from.ip, PORT)
      while (!isOver) {
        await load.one({ host: to.name, path: '/' }, counts)
        sent++
      }
    })
    try {
      await during()
    } finally {
      isOver = true
      await Promise.all(running)
    }
    return {
      errors: counts.errors,
      sent,
      handshakes: this.#handshakes() - shookBefore,
      failures: this.#failures().map((count, i) => count - (failedBefore[i] as number)),
    }
  }

  /** How often each workload's certificate was renewed. */
  renewals(): number[] {
    return this.#countsOf('workload_identity.renewals')
  }

  /** And how often that failed. */
  failedRenewals(): number[] {
    return this.#countsOf('workload_identity.renewal_failures')
  }

  async everyoneRenews(): Promise<void> {
    const before = this.renewals()
    const isNew = () => this.renewals().every((count, i) => count > (before[i] as number))
    await eventually(() => expect(isNew()).toBe(true), 30_000)
  }

  async stop(): Promise<void> {
    await this.mesh.stop()
    this.#source.close()
    this.#app.closeAllConnections()
    this.#app.close()
  }

  /** The first request of a pair may find configuration on its way. */
  async #everyPairAnswers(): Promise<void> {
    for (const [from, to] of this.#pairs) {
      await eventually(async () => {
        const first: LoadCounts = { byServer: {}, errors: [] }
        await new HttpLoad(from.ip, PORT).one({ host: to.name, path: '/' }, first)
        expect(first.errors).toEqual([])
      }, 15_000)
    }
  }

  #failures(): number[] {
    return [/ssl\.connection_error$/, /ssl\.fail_verify/, /upstream_rq_retry$/].map((name) => this.#sum(name))
  }

  #handshakes(): number {
    return this.#sum(/^listener\.ssl\.handshake$/)
  }

  #sum(name: RegExp): number {
    const found = this.#agents.flatMap((agent) => agent.planes.metrics.all().filter((metric) => name.test(metric.name)))
    return found.reduce((total, { value }) => total + value, 0)
  }

  #countsOf(name: string): number[] {
    const stores = [...this.#agents.map((agent) => agent.planes.metrics), ...this.mesh.agentMetrics]
    return stores.map((store) => store.all().find((metric) => metric.name === name)?.value ?? 0)
  }
}

const ONE_REQUEST_A_CONNECTION = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: anew }
spec: { host: anew, trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } } }
`
