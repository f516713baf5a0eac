import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { builtCli } from '../../e2e/built.ts'
import { eventually } from '../../support/eventually.ts'
import { bootstrapText, loopbackBlock } from '../../support/mesh.ts'
import { clientSidecarYaml, podYaml, serviceYaml } from '../../support/mesh-yaml.ts'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const PORT = 9080
const XDS_PORT = 15010
const RATE = 300

/** What became of the requests of a run (load.mjs). */
export interface LoadReport {
  sent: number
  ok: number
  failures: Record<string, number>
  byEndpoint: Record<string, number>
  slowestMs: number
}

/** What an endpoint has done (endpoint.mjs). */
export interface EndpointReport {
  requests: number
  failed: number
  broken: number
}

/** A process that is told lines and answers each with one. */
class Program {
  readonly process: ChildProcess
  readonly #lines: Interface
  readonly #answers: AsyncIterator<string>
  errors = ''

  constructor(command: string, args: readonly string[]) {
    this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.errors += text))
    this.process.stdin?.on('error', () => {})
    this.#lines = createInterface({ input: this.process.stdout as NodeJS.ReadableStream })
    this.#answers = this.#lines[Symbol.asyncIterator]()
  }

  async answer(): Promise<string> {
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`${this.process.spawnargs.join(' ')} ended: ${this.errors}`)
    return value
  }

  ask(line: string): Promise<string> {
    this.process.stdin?.write(`${line}\n`)
    return this.answer()
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const gone = once(this.process, 'exit')
    this.process.kill('SIGKILL')
    await gone
  }
}

/** One of the hosts of the service, as a process. */
export class Endpoint {
  readonly ip: string
  readonly #program: Program

  constructor(ip: string, program: Program) {
    this.ip = ip
    this.#program = program
  }

  async behave(mode: object): Promise<void> {
    await this.#program.ask(JSON.stringify(mode))
  }

  async report(): Promise<EndpointReport> {
    return JSON.parse(await this.#program.ask('report'))
  }

  /** As `kill -9`: its sockets are reset by the system. */
  kill(): Promise<void> {
    return this.#program.kill()
  }
}

export interface LabOptions {
  /** Of the VirtualService's route, as YAML in one line, with room for as many at a time as there are requests; without it the mesh's own retries. */
  readonly retries?: string
  /** More of the VirtualService's route. */
  readonly route?: string
  /** Runs programs somewhere else, as in a network namespace. */
  readonly enter?: readonly string[]
}

/** A service with endpoints, a client with its sidecar, and a pilot: each a process of its own. */
export class Lab {
  readonly endpoints: Endpoint[] = []
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-faults-'))
  readonly #block = loopbackBlock()
  readonly #enter: readonly string[]
  readonly #programs: Program[] = []
  #pilot: Program | undefined
  #load: Program | undefined
  readonly #xds: string

  private constructor({ enter = [] }: LabOptions) {
    this.#enter = enter
    this.#xds = `${this.#block}.1:${XDS_PORT}`
  }

  static async start(endpoints: number, options: LabOptions = {}): Promise<Lab> {
    const lab = new Lab(options)
    try {
      await lab.#start(endpoints, options)
    } catch (thrown) {
      await lab.stop()
      throw thrown
    }
    return lab
  }

  async #start(count: number, options: LabOptions): Promise<void> {
    const ips = Array.from({ length: count }, (_, i) => `${this.#block}.${21 + i}`)
    for (const ip of ips) {
      const program = this.#run(process.execPath, [join(FOLDER, 'endpoint.mjs'), ip, String(PORT)])
      await program.answer()
      this.endpoints.push(new Endpoint(ip, program))
    }
    writeFileSync(join(this.#dir, 'mesh.yaml'), meshYaml(this.#client, ips, options))
    this.startPilot()
    const workload = { type: 'sidecar', name: 'client', ip: this.#client, labels: { app: 'client' } } as const
    const bootstrap = join(mkdtempSync(join(this.#dir, '.proxy-')), 'bootstrap.json')
    const text = bootstrapText(workload, XDS_PORT).replaceAll('127.0.0.1', `${this.#block}.1`)
    writeFileSync(bootstrap, text)
    this.#run(process.execPath, [builtCli(), 'proxy', '-c', bootstrap, '--exit-with-parent'])
    await eventually(() => this.#canCall(), 30_000)
  }

  get #client(): string {
    return `${this.#block}.10`
  }

  startPilot(): void {
    const dirs = ['--config', this.#dir, '--xds-address', this.#xds, '--http-address', `${this.#block}.1:0`]
    this.#pilot = this.#run(process.execPath, [builtCli(), 'pilot', ...dirs, '--exit-with-parent'])
  }

  async killPilot(): Promise<void> {
    await this.#pilot?.kill()
  }

  async startLoad(): Promise<void> {
    this.#load = this.#run(process.execPath, [
      join(FOLDER, 'load.mjs'),
      this.#client,
      String(PORT),
      'echo',
      String(RATE),
    ])
    await this.#load.answer()
  }

  /** Ends the load when everything is answered. */
  async stopLoad(): Promise<LoadReport> {
    return JSON.parse((await this.#load?.ask('stop')) as string)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()))
    rmSync(this.#dir, { recursive: true, force: true })
  }

  async #canCall(): Promise<void> {
    const url = `http://${this.#client}:${PORT}/`
    const curl = this.#run('curl', ['-s', '-f', '-o', '/dev/null', '-H', 'Host: echo', '--max-time', '2', url])
    const [code] = (await once(curl.process, 'exit')) as [number]
    if (code !== 0) throw new Error(`the service cannot be called (curl: ${code})`)
  }

  #run(command: string, args: readonly string[]): Program {
    const [outer = command, ...more] = [...this.#enter, command, ...args]
    const program = new Program(outer, more)
    this.#programs.push(program)
    return program
  }
}

function meshYaml(client: string, ips: readonly string[], { retries, route = '' }: LabOptions): string {
  const pods = ips.map((ip) => `---\n${podYaml(`echo-${ip.replaceAll('.', '-')}`, 'app: echo', ip)}`)
  return `${serviceYaml('echo', PORT)}---
${clientSidecarYaml(client, PORT)}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo }
spec:
  hosts: [echo]
  http:
  - route: [{ destination: { host: echo } }]
    ${route}
    ${retries === undefined ? '' : `retries: ${retries}`}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo }
spec:
  host: echo
  trafficPolicy:
    connectionPool: { tcp: { connectTimeout: 250ms } }
    ${retries === undefined ? '' : 'retryBudget: { percent: 100, minRetryConcurrency: 100 }'}
    outlierDetection: { consecutive5xxErrors: 5, interval: 1s, baseEjectionTime: 30s, maxEjectionPercent: 50 }
${pods.join('')}`
}
