import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeType } from '../../api/node.ts'
import { MemorySource } from '../../config/sources/memory.ts'
import { type Random, systemRandom } from '../../lib/random.ts'
import type { Plan } from '../../proxy/plan/plan.ts'
import { EchoServer } from '../support/echo-server.ts'
import { EnvoyProcess } from '../support/envoy-process.ts'
import { eventually } from '../support/eventually.ts'
import { bootstrapText, canConnect, Mesh, type Workload } from '../support/mesh.ts'
import { type Addresses, GATEWAY_PORT, HTTP_PORT, infrastructure, type PlaneName } from './config.ts'
import { RULES } from './rules.ts'

/** Pilot, echo servers, real Envoy and our proxy, each with a sidecar and a gateway, on one configuration. */
export class Planes {
  readonly at: Addresses
  readonly mesh: Mesh
  readonly upstreams = { v1: new EchoServer('v1'), v2: new EchoServer('v2'), shadow: new EchoServer('shadow') }
  readonly #source: MemorySource
  readonly #envoys: EnvoyProcess[] = []
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-differential-'))

  constructor(at: Addresses) {
    this.at = at
    this.#source = new MemorySource({ 'infrastructure.yaml': infrastructure(at), ...RULES })
    this.mesh = new Mesh(this.#source)
  }

  /** `envoy` is the path of the real one; without it only our own plane runs. `random` are our dice. */
  async start(envoy: string | undefined, random: Random = systemRandom): Promise<void> {
    await this.mesh.start()
    await this.upstreams.v1.listen(HTTP_PORT, this.at.v1)
    await this.upstreams.v2.listen(HTTP_PORT, this.at.v2)
    await this.upstreams.shadow.listen(HTTP_PORT, this.at.mirror)
    for (const type of ['sidecar', 'router'] as const) {
      await this.mesh.addProxy(this.#workload(type, 'lateen'), random)
      if (envoy !== undefined) this.#startEnvoy(envoy, type)
    }
    const planes: PlaneName[] = envoy === undefined ? ['lateen'] : ['lateen', 'envoy']
    for (const plane of planes) {
      await eventually(() => canConnect(this.at.sidecar[plane], HTTP_PORT), 30_000).catch((thrown) => {
        throw new Error(`${plane} does not listen: ${thrown}\n${this.#envoys.map(({ log }) => log).join('\n')}`)
      })
      await eventually(() => canConnect(this.at.gateway[plane], GATEWAY_PORT), 30_000)
    }
  }

  /** Gives a file of the configuration its text. */
  set(file: string, text: string): void {
    this.#source.set(file, text)
    const errors = this.#source.current().findings.filter((finding) => finding.severity === 'error')
    if (errors.length > 0) throw new Error(JSON.stringify(errors, null, 1))
  }

  /** What our proxy of this type has. */
  plan(type: NodeType): Plan {
    return this.mesh.plan(this.#workload(type, 'lateen'))
  }

  async stop(): Promise<void> {
    for (const envoy of this.#envoys) await envoy.stop()
    await this.mesh.stop()
    for (const server of Object.values(this.upstreams)) server.close()
    this.#source.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #startEnvoy(envoy: string, type: NodeType): void {
    const file = join(this.#dir, `envoy-${type}.yaml`)
    writeFileSync(file, bootstrapText(this.#workload(type, 'envoy'), this.mesh.pilot.xdsPort))
    this.#envoys.push(new EnvoyProcess(envoy, file))
  }

  #workload(type: NodeType, plane: PlaneName): Workload {
    const app = type === 'sidecar' ? 'client' : 'gateway'
    const ip = type === 'sidecar' ? this.at.sidecar[plane] : this.at.gateway[plane]
    return { type, ip, name: `${app}-${plane}`, labels: { app, version: plane, role: app } }
  }
}
