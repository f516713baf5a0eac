import { analyze, sortFindings } from '../config/analysis/analyze.ts'
import type { Finding } from '../config/finding.ts'
import { FindingLog } from '../config/finding-log.ts'
import type { ConfigSource } from '../config/store.ts'
import { type Clock, systemClock, type Timer } from '../lib/clock.ts'
import { createLogger, type Logger } from '../lib/log.ts'
import { MetricStore } from '../lib/metrics/store.ts'
import { systemRandom } from '../lib/random.ts'
import { type Ca, type CaOptions, openCa } from './ca/open.ts'
import { PilotHttpServer } from './http/server.ts'
import { JwksResolver } from './jwks/resolver.ts'
import { MESH_WITH_IDENTITIES, type MeshOptions } from './mesh/options.ts'
import { Publisher } from './publisher.ts'
import { XdsServer } from './xds/server.ts'

export interface PilotOptions {
  source: ConfigSource
  /** `host:port`; port 0 takes a free one. */
  xdsAddress: string
  httpAddress: string
  mesh?: Partial<MeshOptions>
  clock?: Clock
  log?: Logger
  /** How long a change waits for others (Istio's PILOT_DEBOUNCE_AFTER). */
  debounceMs?: number
  /** Certificates for workloads, and discovery over TLS for those that prove who they are; without it there is neither. */
  ca?: CaOptions | undefined
  /** PEM of certificates that servers of keys are believed by, beside those of node. */
  jwksCa?: readonly string[] | undefined
}

/** How long the pilot waits for keys before it serves proxies. */
const MAX_START_WAIT_MS = 2_000

/** The control plane: configuration in, generations out, over xDS. */
export class Pilot {
  readonly publisher: Publisher
  readonly xds: XdsServer
  readonly http: PilotHttpServer
  readonly metrics = new MetricStore()
  readonly clock: Clock
  readonly ca: Ca | undefined
  readonly jwks: JwksResolver
  readonly #options: PilotOptions
  readonly #log: Logger
  readonly #findingLog: FindingLog
  xdsPort = 0
  /** 0 without an authority. */
  caPort = 0

  constructor(options: PilotOptions) {
    this.#options = options
    this.#log = options.log ?? createLogger('pilot')
    this.#findingLog = new FindingLog(this.#log)
    this.clock = options.clock ?? systemClock
    const around = { clock: this.clock, log: this.#log, metrics: this.metrics }
    this.ca = options.ca && openCa(options.ca, around)
    this.jwks = new JwksResolver({ ...around, random: systemRandom, ca: options.jwksCa })
    this.publisher = new Publisher({
      source: options.source,
      clock: this.clock,
      mesh: { ...(this.ca && MESH_WITH_IDENTITIES), ...options.mesh },
      trustBundle: this.ca?.authority.roots,
      quietMs: options.debounceMs,
      logger: this.#log,
      metrics: this.metrics,
      keys: this.jwks,
    })
    this.xds = new XdsServer({ views: this.publisher, clock: this.clock, log: this.#log, metrics: this.metrics })
    this.http = new PilotHttpServer(this, options.httpAddress)
    if (this.ca !== undefined) this.xds.addTo(this.ca.server)
    this.ca?.onRoots((roots) => this.publisher.setTrustBundle(roots))
    this.#reportFindings()
    options.source.onChange(() => this.#reportFindings())
  }

  async start(): Promise<void> {
    await this.#waitForKeys()
    this.xdsPort = await this.xds.listen(this.#options.xdsAddress)
    if (this.ca !== undefined) this.caPort = await this.ca.server.listen(this.#options.ca?.address ?? '')
    await this.http.open()
  }

  close(): Promise<void> {
    this.xds.close()
    this.ca?.close()
    this.publisher.close()
    this.jwks.close()
    return this.http.close()
  }

  /** The first proxies should not refuse good tokens because their keys are a moment late. */
  async #waitForKeys(): Promise<void> {
    if (!this.jwks.isWaiting) return
    let timer: Timer | undefined
    const tooLong = new Promise<void>((resolve) => {
      timer = this.clock.setTimer(MAX_START_WAIT_MS, resolve)
    })
    await Promise.race([this.jwks.settled(), tooLong])
    timer?.cancel()
    this.publisher.flush()
  }

  /** All that is wrong now: in the files, between the objects, and in the generation made of them. */
  findings(): Finding[] {
    const { objects, findings } = this.#options.source.current()
    return sortFindings([...findings, ...analyze(objects, this.#analysisOptions()), ...this.publisher.findings])
  }

  #analysisOptions() {
    const { domain, rootNamespace, trustDomain, trustDomainAliases } = this.publisher.mesh.options
    const trustDomains = [trustDomain, ...trustDomainAliases]
    return { domain, rootNamespace, trustDomains, nowMs: this.clock.wallMs() }
  }

  #reportFindings(): void {
    this.#findingLog.report(this.#options.source.current().findings)
  }
}
