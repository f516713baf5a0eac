import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../lib/log.ts'
import { Agent } from '../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import { EnvoyProcess } from '../support/envoy-process.ts'
import { eventually } from '../support/eventually.ts'
import { canConnect, loopbackBlock } from '../support/mesh.ts'

const ADMIN_PORT = 15000

interface ClusterPage {
  readonly cluster_statuses: readonly {
    readonly name: string
    readonly host_statuses?: readonly {
      readonly address: { readonly socket_address: { readonly port_value: number } }
      readonly health_status: unknown
    }[]
  }[]
}

/** Real Envoy and our proxy on the same static resources, each on a loopback address of its own. */
export class StaticPair {
  readonly hosts: { readonly envoy: string; readonly lateen: string }
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-pair-'))
  #agent: Agent | undefined
  #envoy: EnvoyProcess | undefined

  constructor() {
    const block = loopbackBlock()
    this.hosts = { envoy: `${block}.1`, lateen: `${block}.2` }
  }

  /** `listeners` are made for an address; they take these ports. `others` are further fields of the bootstrap. */
  async start(
    envoy: string,
    ports: readonly number[],
    listeners: (address: string) => readonly object[],
    clusters: readonly object[],
    secrets: readonly object[] = [],
    others: (address: string) => object = () => ({}),
  ): Promise<void> {
    const text = (address: string) =>
      JSON.stringify({
        node: { id: 'n', cluster: 'c' },
        admin: { address: { socket_address: { address, port_value: ADMIN_PORT } } },
        static_resources: { listeners: listeners(address), clusters, secrets },
        ...others(address),
      })
    this.#agent = new Agent(parseBootstrap(text(this.hosts.lateen), 'static'), 'static', { log: silentLogger })
    await this.#agent.start()
    const file = join(this.#dir, 'envoy.json')
    writeFileSync(file, text(this.hosts.envoy))
    const running = new EnvoyProcess(envoy, file)
    this.#envoy = running
    for (const host of Object.values(this.hosts)) {
      for (const port of ports) {
        await eventually(() => canConnect(host, port), 30_000).catch((thrown) => {
          throw new Error(`${host}:${port} does not listen: ${thrown}\n${running.log}`)
        })
      }
    }
  }

  /** The sum of all metrics of our proxy with this name. */
  metric(name: string): number {
    let sum = 0
    for (const metric of this.#agent?.planes.metrics.all() ?? []) if (metric.name === name) sum += metric.value
    return sum
  }

  /** Counters and gauges of a cluster that are not 0, without what their names begin with. */
  async stats(host: string, cluster: string, group: string): Promise<Record<string, number>> {
    const prefix = `cluster.${cluster}.${group}.`
    const text = await this.admin(host, `/stats?usedonly&filter=${encodeURIComponent(prefix)}`)
    const lines = text.split('\n').filter((line) => line.startsWith(prefix))
    const found = lines.map((line) => line.slice(prefix.length).split(': '))
    return Object.fromEntries(found.map(([name, value]) => [name, Number(value)]).filter(([, value]) => value !== 0))
  }

  /** What a page of the administration interface says. */
  async admin(host: string, path: string): Promise<string> {
    return (await fetch(`http://${host}:${ADMIN_PORT}${path}`)).text()
  }

  /** The health flags of a cluster's hosts, by their port. */
  async healthFlags(host: string, cluster: string): Promise<Record<string, string>> {
    const text = await this.admin(host, '/clusters')
    const found = [...text.matchAll(/^(.+?)::[^:]*:(\d+)::health_flags::(.*)$/gm)].filter(
      ([, name]) => name === cluster,
    )
    return Object.fromEntries(found.map(([, , port, flags]) => [port, flags]))
  }

  /** What the JSON form says of the health of a cluster's hosts, by their port. */
  async healthStatus(host: string, cluster: string): Promise<Record<string, unknown>> {
    const { cluster_statuses } = JSON.parse(await this.admin(host, '/clusters?format=json')) as ClusterPage
    const found = cluster_statuses.find(({ name }) => name === cluster)
    return Object.fromEntries(
      (found?.host_statuses ?? []).map(({ address, health_status }) => [
        address.socket_address.port_value,
        health_status,
      ]),
    )
  }

  async stop(): Promise<void> {
    await this.#envoy?.stop()
    await this.#agent?.stop(0)
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
