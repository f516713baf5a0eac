import { create, toBinary } from '@bufbuild/protobuf'
import type { Bootstrap } from '../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { NodeSchema } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { type Secret, SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { TRUSTED_ROOTS } from '../../api/names.ts'
import { TYPE_URL } from '../../api/type-urls.ts'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'
import { createLogger, type Logger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { type Random, systemRandom } from '../../lib/random.ts'
import { DataPlane } from '../data-plane.ts'
import { nodeFacts } from '../node-facts.ts'
import { EMPTY_PLAN } from '../plan/plan.ts'
import type { XdsClient } from '../xds/client.ts'
import { ResourceSet } from '../xds/resource-set.ts'
import type { IdentityState, SecretProvider } from '../xds/secret-provider.ts'
import { ADS_SOURCE, LOCAL_SOURCE } from '../xds/secret-store.ts'
import { PlanStats } from './admin/plan-stats.ts'
import { AdminServer } from './admin/server.ts'
import { compileStatic, type OtherSecrets } from './bootstrap.ts'
import { type IdentityOptions, IdentitySecrets } from './identity/identity-secrets.ts'
import { managementServer } from './management-server.ts'
import { maxDownstreamConnections } from './overload.ts'
import { LocalPlane, type Planes } from './planes.ts'
import { SecretStreams, secretServers } from './secret-streams.ts'
import { applicationScrape } from './status/application-scrape.ts'
import { StatusServer } from './status/server.ts'
import { WorkerPool } from './workers/worker-pool.ts'

export interface AgentOptions {
  clock?: Clock
  random?: Random
  log?: Logger
  /** Called by `/quitquitquit`. */
  onQuit?: () => void
  /** Threads that serve; 0, the default, has this one serve. */
  workers?: number
  /** Gets the workload's own certificate of an authority. */
  identity?: IdentityOptions | undefined
  /** A file with what tells the management server who the workload is; sent over TLS only, and read anew for each stream. */
  tokenFile?: string | undefined
  /** Where metrics and readiness are served to the network; undefined for nowhere. */
  statusPort?: number | undefined
  /** How many series all threads together may make of what calls say of themselves. */
  maxSeries?: number | undefined
  /** How long turns of a thread with many calls under way may wait for more of them; 0 for never. */
  turnWaitUs?: number | undefined
  /** Supplies secrets from within this process, in the place of `identity`. */
  secrets?: SecretProvider
}

/** One proxy process: its data planes, the xDS client that feeds them, and the admin page. */
export class Agent {
  readonly bootstrap: Bootstrap
  readonly file: string
  readonly planes: Planes
  /** Threads that serve; 0 where this one does. */
  readonly workers: number
  readonly resources: ResourceSet
  /** Made when the agent starts. */
  xds: XdsClient | undefined
  readonly admin: AdminServer | undefined
  readonly status: StatusServer | undefined
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
    const management = managementServer(bootstrap, file, options.tokenFile)
    const managementClusters = management === undefined ? [] : [management.cluster]
    const servers = secretServers(bootstrap.staticResources?.clusters ?? [])
    const metrics = new MetricStore()
    const around = { clock: this.clock, random, log: this.#log, metrics }
    this.#provider =
      options.secrets ??
      (options.identity && new IdentitySecrets({ node: bootstrap.node?.id, ...options.identity }, around))
    const others: OtherSecrets = {
      localNames: this.#provider?.names ?? new Set(),
      grpcClusters: new Set(servers.keys()),
      hasAds: management !== undefined,
    }
    const fixed = compileStatic(bootstrap, file, new Set(managementClusters), others)
    const workers = options.workers ?? 0
    this.workers = workers
    this.#planStats = new PlanStats(metrics)
    const pool =
      workers === 0
        ? undefined
        : new WorkerPool({
            bootstrap,
            file,
            managementClusters,
            secrets: others,
            count: workers,
            clock: this.clock,
            log: this.#log,
            metrics,
            maxSeries: options.maxSeries,
            turnWaitUs: options.turnWaitUs,
          })
    this.planes =
      pool ??
      new LocalPlane(
        new DataPlane({
          ...around,
          localCluster: bootstrap.node?.cluster ?? '',
          node: nodeFacts(bootstrap.node),
          maxDownstreamConnections: maxDownstreamConnections(bootstrap),
          maxSeries: options.maxSeries,
          turnWaitUs: options.turnWaitUs,
        }),
      )
    this.resources = new ResourceSet(
      {
        clock: this.clock,
        staticClusters: fixed.clusters,
        staticListeners: fixed.listeners,
        staticSecrets: fixed.staticSecrets,
        localNames: others.localNames,
        grpcClusters: others.grpcClusters,
        fileReports: around,
        publish: async (next) => {
          this.#planStats.setPlan(next)
          await this.planes.setPlan(next)
          // What is served in the place of what waits has names of its own.
          this.#updateNames()
          this.#followRoots()
        },
        ...(pool !== undefined && { relay: (resources) => pool.relay(resources) }),
      },
      EMPTY_PLAN,
    )
    pool?.follow(this.resources)
    this.#secretStreams = new SecretStreams({
      resources: this.resources,
      servers,
      node: bootstrap.node ?? create(NodeSchema),
      ...around,
    })
    if (management !== undefined) {
      // The gRPC library takes a sixth of a proxy's memory: only those load it that need it.
      this.#connect = async () => {
        const { XdsClient } = await import('../xds/client.ts')
        return new XdsClient({
          server: management.server,
          resources: this.resources,
          ...around,
        })
      }
    }
    if (options.statusPort !== undefined) {
      this.status = new StatusServer(this, options.statusPort, applicationScrape(), metrics)
    }
    const adminAddress = bootstrap.admin?.address?.address
    if (adminAddress?.case === 'socketAddress' && adminAddress.value.portSpecifier.case === 'portValue') {
      this.admin = new AdminServer(this, adminAddress.value.address, adminAddress.value.portSpecifier.value)
    }
  }

  #isStopped = false
  readonly #planStats: PlanStats
  /** PEM of the roots that came last by the aggregated stream. */
  #roots: Buffer | undefined
  readonly #provider: SecretProvider | undefined
  readonly #secretStreams: SecretStreams
  readonly #connect: (() => Promise<XdsClient>) | undefined

  /** Serves the static resources and begins to ask for the others. Rejects when a static listener cannot listen. */
  async start(): Promise<void> {
    const first = this.resources.start()
    this.#planStats.setPlan(first)
    const [failure] = await this.planes.setPlan(first)
    if (failure !== undefined) {
      throw new MeshError('LISTEN_FAILED', `listener ${failure.listener}: ${failure.reason}`, { source: 'local' })
    }
    await this.admin?.open()
    await this.status?.open()
    this.#provider?.start({ put: (secret, version) => this.#putSecret(secret, version) })
    this.#secretStreams.update()
    this.xds = await this.#connect?.()
    this.xds?.start()
  }

  #updateNames(): void {
    this.xds?.updateNames()
    this.#secretStreams.update()
  }

  /** Who signs the mesh's certificates shows by the roots that it is to trust. */
  #followRoots(): void {
    const secret = this.resources.secrets.caches.get(ADS_SOURCE)?.resources.get(TRUSTED_ROOTS)?.plan
    const roots = secret?.kind === 'validation_context' ? secret.validation.trustedCa : undefined
    if (roots === undefined || roots === this.#roots) return
    this.#roots = roots
    this.#provider?.onTrustBundle?.(roots.toString('latin1'))
  }

  #putSecret(secret: Secret, version: string): string {
    const { name } = secret
    if (this.#isStopped) return `${name}: the proxy has stopped`
    if (!this.resources.secrets.localNames.has(name)) return `${name}: is none of the provider's names`
    const bytes = toBinary(SecretSchema, secret)
    return this.resources.acceptSecrets(LOCAL_SOURCE, [{ name, version, typeUrl: TYPE_URL.secret, bytes }])
  }

  /** How the workload's own certificate stands; undefined where it gets none. */
  get identity(): IdentityState | undefined {
    return this.#provider?.state
  }

  /** Serving: with a management server, once its first configuration is in force. */
  get isReady(): boolean {
    if (this.isFailingHealthChecks || this.planes.isDraining) return false
    return this.planes.isSettled && (this.#connect === undefined ? this.resources.isSettled : this.resources.isReady)
  }

  /** Stops accepting, lets requests finish within the deadline, then stops everything. */
  async stop(drainDeadlineMs: number): Promise<void> {
    this.isFailingHealthChecks = true
    this.#isStopped = true
    this.#provider?.close()
    this.xds?.close()
    this.#secretStreams.close()
    this.resources.close()
    await this.planes.drain(drainDeadlineMs)
    await this.planes.close()
    await this.admin?.close()
    await this.status?.close()
  }
}
