import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../lib/log.ts'
import { Agent } from '../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import { eventually } from '../support/eventually.ts'
import { canConnect, loopbackBlock } from '../support/mesh.ts'

/** Real Envoy and our proxy on the same static resources, each on a loopback address of its own. */
export class StaticPair {
  readonly hosts: { readonly envoy: string; readonly lateen: string }
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-pair-'))
  #agent: Agent | undefined
  #envoy: ChildProcess | undefined
  #envoyLog = ''

  constructor() {
    const block = loopbackBlock()
    this.hosts = { envoy: `${block}.1`, lateen: `${block}.2` }
  }

  /** `listeners` are made for an address; they take these ports. */
  async start(
    envoy: string,
    ports: readonly number[],
    listeners: (address: string) => readonly object[],
    clusters: readonly object[],
  ): Promise<void> {
    const text = (address: string) =>
      JSON.stringify({ node: { id: 'n', cluster: 'c' }, static_resources: { listeners: listeners(address), clusters } })
    this.#agent = new Agent(parseBootstrap(text(this.hosts.lateen), 'static'), 'static', { log: silentLogger })
    await this.#agent.start()
    const file = join(this.#dir, 'envoy.json')
    writeFileSync(file, text(this.hosts.envoy))
    const args = ['-c', file, '--concurrency', '1', '--log-level', 'error', '--use-dynamic-base-id']
    this.#envoy = spawn(envoy, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#envoy.stderr?.on('data', (chunk: Buffer) => {
      this.#envoyLog = (this.#envoyLog + chunk.toString()).slice(-4000)
    })
    for (const host of Object.values(this.hosts)) {
      for (const port of ports) {
        await eventually(() => canConnect(host, port), 30_000).catch((thrown) => {
          throw new Error(`${host}:${port} does not listen: ${thrown}\n${this.#envoyLog}`)
        })
      }
    }
  }

  async stop(): Promise<void> {
    const envoy = this.#envoy
    if (envoy !== undefined && envoy.exitCode === null) {
      const gone = new Promise((resolve) => envoy.once('exit', resolve))
      envoy.kill('SIGKILL')
      await gone
    }
    await this.#agent?.stop(0)
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
