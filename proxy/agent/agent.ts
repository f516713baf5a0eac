import type { Bootstrap } from '../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'
import { createLogger, type Logger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { type Random, systemRandom } from '../../lib/random.ts'
import { DataPlane } from '../data-plane.ts'
import { EMPTY_PLAN } from '../plan/plan.ts'
import type { XdsClient } from '../xds/client.ts'
import { ResourceSet } from '../xds/resource-set.ts'
import { AdminServer } from './admin/server.ts'
import { compileStatic } from './bootstrap.ts'
import { managementServer } from './management-server.ts'
import { maxDownstreamConnections } from './overload.ts'
import { LocalPlane, type Planes } from './planes.ts'
import { WorkerPool } from './workers/worker-pool.ts'

export interface AgentOptions {
  clock?: Clock
  random?: Random
  log?: Logger
  /** Called by `/quitquitquit`. */
  onQuit?: () => void
  /** Threads that serve; 0, the default, has this one serve. */
  workers?: number
}

/** One proxy process: its data planes, the xDS client that feeds them, and the admin page. */
export class Agent {
  readonly bootstrap: Bootstrap
  readonly file: string
  readonly planes: Planes
  readonly resources: ResourceSet
  /** Made when the agent starts. */
  xds: XdsClient | undefined
  readonly admin: AdminServer | undefined
  readonly clock: Clock
  readonly startedMs: number
  readonly #log: Logger
  /** Set by `/healthcheck/fail` and by draining. */
  isFailingHealthChecks = false
  readonly onQuit: () => void

  /** Throws BOOTSTRAP_INVALID. */
  constructor(bootstrap: Bootstrap, file: string, options: AgentOptions = {}) {
    this.bootstrap = bootstrap
    this.file = file
    this.clock = options.clock ?? systemClock
    this.onQuit = options.onQuit ?? (() => {})
    this.startedMs = this.clock.nowMs()
    this.#log = options.log ?? createLogger('proxy')
    const random = options.random ?? systemRandom
    const management = managementServer(bootstrap, file)
    const fixed = compileStatic(bootstrap, file, new Set(management === undefined ? [] : [management.cluster]))
    const metrics = new MetricStore()
    const workers = options.workers ?? 0
    const pool =
      workers === 0
        ? undefined
        : new WorkerPool({
            bootstrap,
            file,
            managementClusters: management === undefined ? [] : [management.cluster],
            count: workers,
            clock: this.clock,
            log: this.#log,
            metrics,
          })
    this.planes =
      pool ??
      new LocalPlane(
        new DataPlane({
          clock: this.clock,
          random,
          log: this.#log,
          metrics,
          maxDownstreamConnections: maxDownstreamConnections(bootstrap),
        }),
      )
    const plan = { ...EMPTY_PLAN, clusters: fixed.clusters, listeners: fixed.listeners }
    this.resources = new ResourceSet(
      {
        clock: this.clock,
        staticClusters: fixed.clusters,
        staticListeners: fixed.listeners,
        publish: (next) => this.planes.setPlan(next),
        ...(pool !== undefined && { relay: (resources) => pool.relay(resources) }),
      },
      EMPTY_PLAN,
    )
    pool?.follow(this.resources)
    this.#staticPlan = { ...plan, version: 1 }
    if (management !== undefined) {
      // The gRPC library takes a sixth of a proxy's memory: only those load it that need it.
      this.#connect = async () => {
        const { XdsClient } = await import('../xds/client.ts')
        return new XdsClient({
          server: management.server,
          resources: this.resources,
          clock: this.clock,
          random,
          log: this.#log,
          metrics,
        })
      }
    }
    const adminAddress = bootstrap.admin?.address?.address
    if (adminAddress?.case === 'socketAddress' && adminAddress.value.portSpecifier.case === 'portValue') {
      this.admin = new AdminServer(this, adminAddress.value.address, adminAddress.value.portSpecifier.value)
    }
  }

  readonly #staticPlan
  readonly #connect: (() => Promise<XdsClient>) | undefined

  /** Serves the static resources and begins to ask for the others. Rejects when a static listener cannot listen. */
  async start(): Promise<void> {
    const failures = await this.planes.setPlan(this.#staticPlan)
    const first = failures[0]
    if (first !== undefined) {
      throw new MeshError('LISTEN_FAILED', `listener ${first.listener}: ${first.reason}`, { source: 'local' })
    }
    await this.admin?.open()
    this.xds = await this.#connect?.()
    this.xds?.start()
  }

  /** Serving: with a management server, once its first configuration is in force. */
  get isReady(): boolean {
    if (this.isFailingHealthChecks || this.planes.isDraining) return false
    return this.planes.isSettled && (this.#connect === undefined || this.resources.isReady)
  }

  /** Stops accepting, lets requests finish within the deadline, then stops everything. */
  async stop(drainDeadlineMs: number): Promise<void> {
    this.isFailingHealthChecks = true
    this.xds?.close()
    this.resources.close()
    await this.planes.drain(drainDeadlineMs)
    await this.planes.close()
    await this.admin?.close()
  }
}
