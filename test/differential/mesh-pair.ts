import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemorySource } from '../../config/sources/memory.ts'
import type { MeshOptions } from '../../pilot/mesh/options.ts'
import type { Agent } from '../../proxy/agent/agent.ts'
import { EnvoyProcess } from '../support/envoy-process.ts'
import { eventually } from '../support/eventually.ts'
import { accountOf, canConnect, Mesh, type Workload } from '../support/mesh.ts'
import type { MeshAuthority } from '../support/mesh-authority.ts'
import { startSecretAgent } from '../support/secret-agent.ts'

export const PLANES = ['envoy', 'lateen'] as const
export type Plane = (typeof PLANES)[number]

/** A pilot with one real Envoy and one proxy of ours, beside workloads that differ by name and address only. */
export class MeshPair {
  /** Its only file is `mesh.yaml`, until a test sets others. */
  readonly source: MemorySource
  readonly #mesh: Mesh
  readonly #authority: MeshAuthority | undefined
  readonly #closing: (() => void)[] = []
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-pair-'))
  #envoy: EnvoyProcess | undefined
  #lateen: Agent | undefined

  /** With an authority both come over TLS. */
  constructor(configuration: string, authority?: MeshAuthority, options?: Partial<MeshOptions>) {
    this.source = new MemorySource({ 'mesh.yaml': configuration })
    this.#authority = authority
    this.#mesh = new Mesh(this.source, authority, options)
  }

  get caPort(): number {
    return this.#mesh.pilot.caPort
  }

  /** The sum of all metrics of our proxy with this name. */
  metric(name: string): number {
    let sum = 0
    for (const metric of this.#lateen?.planes.metrics.all() ?? []) if (metric.name === name) sum += metric.value
    return sum
  }

  /** Resolves when both listen on this port. `envoy` is the path of the real one; without it only ours runs. */
  async start(envoy: string | undefined, workloads: Record<Plane, Workload>, port: number): Promise<void> {
    await this.#mesh.start()
    this.#lateen = await this.#mesh.addProxy(workloads.lateen)
    await eventually(() => canConnect(workloads.lateen.ip, port))
    if (envoy === undefined) return
    const file = join(this.#dir, 'envoy.yaml')
    writeFileSync(file, this.#mesh.bootstrap(workloads.envoy, await this.#agentOf(workloads.envoy)))
    const running = new EnvoyProcess(envoy, file)
    this.#envoy = running
    await eventually(() => canConnect(workloads.envoy.ip, port), 30_000).catch((thrown) => {
      throw new Error(`envoy does not listen: ${thrown}\n${running.log}`)
    })
  }

  /** Another proxy of ours in the same mesh. */
  async addProxy(workload: Workload): Promise<void> {
    await this.#mesh.addProxy(workload)
  }

  /** What a real Envoy has its own certificate of. */
  async #agentOf(workload: Workload): Promise<object | undefined> {
    if (this.#authority === undefined) return undefined
    const path = join(this.#dir, 'agent.sock')
    const agent = await startSecretAgent(path, this.#authority.identity(accountOf(workload), this.caPort))
    this.#closing.push(() => agent.close())
    return { pipe: { path } }
  }

  async stop(): Promise<void> {
    await this.#envoy?.stop()
    for (const close of this.#closing) close()
    await this.#mesh.stop()
    this.source.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
