import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../lib/clock.ts'
import { systemRandom } from '../../lib/random.ts'
import { CliError, EXIT } from '../exit.ts'
import { choosePublicPort, type Endpoint, findFreeBlock, probe } from './addresses.ts'
import { Child } from './child.ts'
import { ConfigDirectory } from './config-directory.ts'
import {
  accountOf,
  appSpec,
  type BootstrapNode,
  bootstrapYaml,
  GATEWAY_ACCOUNT,
  GATEWAY_LABELS,
  GATEWAY_NAME,
  gatewayYaml,
  workloadYaml,
} from './config-text.ts'
import { waitForOk } from './http.ts'
import { DemoIdentities } from './identity.ts'
import { endpointsOf, firstWorkloads, hostPort, type Layout, layoutOf, type Workload } from './layout.ts'
import { collectorYaml, prometheusYaml, tracedMeshYaml } from './observation.ts'
import type { SampleFiles } from './sample-files.ts'
import { SECURITY_FILE } from './who-may-call.ts'

const READY_WITHIN_MS = 30_000
const STOP_WITHIN_MS = 1500
const PREFERRED_PORT = 8080
/** The VirtualService that the release changes. */
export const ROUTE_FILE = 'reviews-route.yaml'

/** Bookinfo in a mesh on this machine: a pilot, a gateway, and a sidecar for each workload, each a process. */
export class BookinfoMesh {
  readonly layout: Layout
  readonly gateway: Endpoint
  readonly folder: string
  readonly config: ConfigDirectory
  readonly samples: SampleFiles
  readonly identities: DemoIdentities
  /** Rejects, with the end of its log, when a child ends that should not. */
  readonly failed: Promise<never>
  /** Aborted when the mesh is being taken down. */
  readonly stopped: AbortSignal
  readonly #stop = new AbortController()
  readonly #fail: (error: Error) => void
  readonly #entry: string
  /** Where spans are told to, if anywhere. */
  readonly #collector: Endpoint | undefined
  readonly #children: Child[] = []
  #stopping: Promise<void> | undefined

  private constructor(
    entry: string,
    samples: SampleFiles,
    layout: Layout,
    gateway: Endpoint,
    folder: string,
    collector: Endpoint | undefined,
  ) {
    this.#entry = entry
    this.#collector = collector
    this.samples = samples
    this.layout = layout
    this.gateway = gateway
    this.folder = folder
    this.config = new ConfigDirectory(join(folder, 'config'))
    this.identities = new DemoIdentities(folder, layout)
    let fail: (error: Error) => void = () => {}
    this.failed = new Promise((_, reject) => {
      fail = reject
    })
    this.failed.catch(() => {})
    this.#fail = fail
    this.stopped = this.#stop.signal
  }

  /**
   * Chooses addresses and a temporary folder; starts nothing. `entry` is the program of the `lateen` command, `collector` a
   * Zipkin that is to be told of every call.
   */
  static async prepare(entry: string, samples: SampleFiles, collector?: Endpoint): Promise<BookinfoMesh> {
    const block = await findFreeBlock(systemRandom, endpointsOf, probe)
    const gateway = { host: '127.0.0.1', port: await choosePublicPort(PREFERRED_PORT) }
    const folder = await mkdtemp(join(tmpdir(), 'lateen-demo-'))
    return new BookinfoMesh(entry, samples, layoutOf(block), gateway, folder, collector)
  }

  /** Resolves when the page can be opened: everything with v1 of reviews. */
  async start(): Promise<void> {
    const { layout, config, samples, identities } = this
    const workloads = firstWorkloads(layout)
    const services = await samples.readKinds('bookinfo.yaml', ['Service', 'ServiceAccount'])
    const bookinfoRoutes = await samples.readKinds('gateway.yaml', ['VirtualService'])
    await Promise.all([
      config.write('bookinfo.yaml', services),
      config.write('destination-rules.yaml', await samples.read('destination-rules.yaml')),
      config.write('gateway.yaml', `${gatewayYaml(layout.gatewayIp, this.gateway)}---\n${bookinfoRoutes}`),
      config.write(ROUTE_FILE, await samples.read('release/1-all-v1.yaml')),
      config.write(SECURITY_FILE, await samples.read(SECURITY_FILE)),
      ...[GATEWAY_ACCOUNT, ...workloads.map(({ service }) => accountOf(service))].map((account) =>
        identities.giveToken(account),
      ),
      ...workloads.map((workload) => this.#describe(workload)),
    ])
    await writeFile(this.prometheusFile, prometheusYaml(layout))
    const { xds, pilot } = layout
    const addresses = ['--xds-address', hostPort(xds), '--http-address', hostPort(pilot)]
    this.#spawn('pilot', [
      this.#entry,
      'pilot',
      '--exit-with-parent',
      '--config',
      config.path,
      ...addresses,
      ...identities.pilotArguments,
      ...(await this.#tracing()),
    ])
    // Before the proxies: one that finds no pilot waits longer and longer before it looks again.
    await this.#until(waitForOk('pilot', pilot, '/ready', deadline()))
    const gatewayNode = {
      type: 'router',
      name: GATEWAY_NAME,
      ip: layout.gatewayIp,
      labels: GATEWAY_LABELS,
      account: GATEWAY_ACCOUNT,
    } as const
    await Promise.all([this.#startProxy(gatewayNode, layout.gatewayAdmin), this.#startWorkloads(workloads)])
    await this.#until(waitForOk('productpage', this.gateway, '/api/v1/products/0/reviews', deadline()))
  }

  /** A configuration with which Prometheus scrapes all of it. */
  get prometheusFile(): string {
    return join(this.folder, 'prometheus.yml')
  }

  /** Arguments of the pilot. */
  async #tracing(): Promise<string[]> {
    if (this.#collector === undefined) return []
    const file = join(this.folder, 'mesh.yaml')
    await writeFile(file, tracedMeshYaml(this.#collector))
    await this.config.write('zipkin.yaml', collectorYaml(this.#collector))
    return ['--mesh-config', file]
  }

  /** Adds a workload to the running mesh, as its Deployment would. */
  async deploy(workload: Workload): Promise<void> {
    await this.#describe(workload)
    await this.#startWorkloads([workload])
  }

  /** Ends every child and removes the folder. */
  stop(): Promise<void> {
    this.#stop.abort()
    this.#stopping ??= (async () => {
      await Promise.all(this.#children.map((child) => child.stop(STOP_WITHIN_MS)))
      await rm(this.folder, { recursive: true, force: true })
    })()
    return this.#stopping
  }

  /** Ends every child without waiting, for when this process is about to end. */
  kill(): void {
    for (const child of this.#children) child.kill()
  }

  #describe(workload: Workload): Promise<void> {
    return this.config.write(workloadFile(workload), workloadYaml(workload))
  }

  /** The apps in one process; each sidecar in its own. */
  async #startWorkloads(workloads: readonly Workload[]): Promise<void> {
    const name = `apps-${workloads.map((workload) => workload.name).join('-')}`
    const { preload, program } = this.samples
    this.#spawn(name, ['--import', preload, program, '--exit-with-stdin', ...workloads.map(appSpec)])
    await Promise.all([
      ...workloads.map(({ name, app }) => this.#until(waitForOk(name, app, '/health', deadline()))),
      ...workloads.map(({ name, service, version, ip, admin }) =>
        this.#startProxy(
          { type: 'sidecar', name, ip, labels: { app: service, version }, account: accountOf(service) },
          admin,
        ),
      ),
    ])
  }

  async #startProxy(node: BootstrapNode, admin: Endpoint): Promise<void> {
    const name = `proxy-${node.name}`
    const file = join(this.folder, `${name}.yaml`)
    const identity = this.identities.proxyArguments(node.account)
    await writeFile(file, bootstrapYaml(node, admin, this.layout.xds))
    this.#spawn(name, [this.#entry, 'proxy', '--exit-with-parent', '--drain-time-s', '0', '-c', file, ...identity])
    await this.#until(waitForOk(name, admin, '/ready', deadline()))
  }

  #spawn(name: string, args: readonly string[]): void {
    if (this.stopped.aborted) return
    const child = new Child(name, args, join(this.folder, `${name}.log`))
    this.#children.push(child)
    void child.ended.then((how) => {
      if (this.stopped.aborted) return
      this.#fail(new CliError(`${name} ${how}; the end of its log:\n${child.tail()}`, EXIT.internal))
    })
  }

  #until<T>(done: Promise<T>): Promise<T> {
    return Promise.race([done, this.failed])
  }
}

/** Where the YAML of a workload is, below the configuration directory. */
export function workloadFile({ name }: Workload): string {
  return `workloads/${name}.yaml`
}

function deadline(): number {
  return systemClock.nowMs() + READY_WITHIN_MS
}
