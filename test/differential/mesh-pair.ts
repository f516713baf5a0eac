import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemorySource } from '../../config/sources/memory.ts'
import { EnvoyProcess } from '../support/envoy-process.ts'
import { eventually } from '../support/eventually.ts'
import { bootstrapText, canConnect, Mesh, type Workload } from '../support/mesh.ts'

export const PLANES = ['envoy', 'lateen'] as const
export type Plane = (typeof PLANES)[number]

/** A pilot with one real Envoy and one proxy of ours, beside workloads that differ by name and address only. */
export class MeshPair {
  readonly #source: MemorySource
  readonly #mesh: Mesh
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-pair-'))
  #envoy: EnvoyProcess | undefined

  constructor(configuration: string) {
    this.#source = new MemorySource({ 'mesh.yaml': configuration })
    this.#mesh = new Mesh(this.#source)
  }

  /** Resolves when both listen on this port. `envoy` is the path of the real one; without it only ours runs. */
  async start(envoy: string | undefined, workloads: Record<Plane, Workload>, port: number): Promise<void> {
    await this.#mesh.start()
    await this.#mesh.addProxy(workloads.lateen)
    await eventually(() => canConnect(workloads.lateen.ip, port))
    if (envoy === undefined) return
    const file = join(this.#dir, 'envoy.yaml')
    writeFileSync(file, bootstrapText(workloads.envoy, this.#mesh.pilot.xdsPort))
    const running = new EnvoyProcess(envoy, file)
    this.#envoy = running
    await eventually(() => canConnect(workloads.envoy.ip, port), 30_000).catch((thrown) => {
      throw new Error(`envoy does not listen: ${thrown}\n${running.log}`)
    })
  }

  async stop(): Promise<void> {
    await this.#envoy?.stop()
    await this.#mesh.stop()
    this.#source.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
