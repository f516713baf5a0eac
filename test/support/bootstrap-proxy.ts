import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { compileStatic, parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import { DataPlane, type DataPlaneOptions } from '../../proxy/data-plane.ts'
import { EMPTY_PLAN } from '../../proxy/plan/plan.ts'

/** A data plane that serves the static resources of a bootstrap. */
export class BootstrapProxy {
  readonly metrics = new MetricStore()
  readonly plane: DataPlane
  #version = 0

  constructor(options: DataPlaneOptions = {}) {
    this.plane = new DataPlane({ log: silentLogger, metrics: this.metrics, ...options })
  }

  /** Takes the listeners and clusters of this YAML (`static_resources` without its name). Throws when one is refused. */
  async serve(staticResources: string): Promise<this> {
    const indented = staticResources.replaceAll(/^/gm, '  ')
    const fixed = compileStatic(parseBootstrap(`static_resources:\n${indented}\n`, 'test.yaml'), 'test.yaml')
    const failures = await this.plane.setPlan({ ...EMPTY_PLAN, ...fixed, version: ++this.#version })
    if (failures.length > 0) throw new Error(JSON.stringify(failures))
    return this
  }

  /** The port of a listener that asked for port 0. */
  port(listener: string): number {
    const found = this.plane.listeners.get(listener)
    if (found === undefined) throw new Error(`no listener ${listener}`)
    return found.port
  }

  /** A counter or gauge, its labels left aside: the sum over all. */
  stat(name: string): number {
    const found = this.metrics.all().filter((metric) => metric.name === name)
    return found.reduce((sum, metric) => sum + metric.value, 0)
  }

  close(): void {
    this.plane.close()
  }
}
