import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'

/** What is scraped: `address` is `host:port`. */
export interface ScrapeTarget {
  readonly job: string
  readonly address: string
  readonly path?: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface RangeOfSamples {
  readonly labels: Readonly<Record<string, string>>
  /** Seconds since 1970, and the value. */
  readonly values: readonly (readonly [number, number])[]
}

export interface PrometheusOptions {
  readonly targets: readonly ScrapeTarget[]
  /** Paths of files of rules. */
  readonly rules?: readonly string[]
  /** Milliseconds, of scrapes and of rules without an interval of their own. */
  readonly intervalMs?: number
}

/** A real Prometheus on a free port of loopback, with its data in a folder that goes with it. */
export class PrometheusProcess {
  readonly #program: string
  readonly #options: PrometheusOptions
  #child: ChildProcess | undefined
  #folder = ''
  #log = ''
  port = 0

  constructor(program: string, options: PrometheusOptions) {
    this.#program = program
    this.#options = options
  }

  /** Resolves when it is ready to be asked; rejects with the end of its log when it is not. */
  async start(): Promise<void> {
    this.port = await freePort()
    this.#folder = await mkdtemp(join(tmpdir(), 'lateen-prometheus-'))
    const config = join(this.#folder, 'prometheus.yaml')
    await writeFile(config, configYaml(this.#options))
    const child = spawn(
      this.#program,
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(this.#folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${this.port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, GOMAXPROCS: '1' } },
    )
    this.#child = child
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-4000)
    })
    await eventually(async () => {
      const ready = await fetch(`http://127.0.0.1:${this.port}/-/ready`).catch(() => undefined)
      if (ready?.status !== 200) throw new Error(`Prometheus is not ready: ${this.#log}`)
    }, 20_000)
  }

  /** Of an instant vector; a scalar is one sample without labels. */
  async instant(query: string): Promise<Sample[]> {
    const { resultType, result } = await this.#ask('query', { query })
    if (resultType === 'scalar') return [{ labels: {}, value: Number((result as [number, string])[1]) }]
    return (result as { metric: Record<string, string>; value: [number, string] }[]).map(({ metric, value }) => ({
      labels: metric,
      value: Number(value[1]),
    }))
  }

  /** From `seconds` ago until now. */
  async range(query: string, seconds: number, step = 1): Promise<RangeOfSamples[]> {
    const end = Date.now() / 1000
    const { result } = await this.#ask('query_range', {
      query,
      start: String(end - seconds),
      end: String(end),
      step: String(step),
    })
    return (result as { metric: Record<string, string>; values: [number, string][] }[]).map(({ metric, values }) => ({
      labels: metric,
      values: values.map(([at, value]) => [at, Number(value)] as const),
    }))
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child !== undefined && child.exitCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
    }
    if (this.#folder !== '') await rm(this.#folder, { recursive: true, force: true })
  }

  async #ask(what: string, parameters: Record<string, string>): Promise<{ resultType: string; result: unknown }> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/${what}`, {
      method: 'POST',
      body: new URLSearchParams(parameters),
    })
    const answer = (await response.json()) as { status: string; error?: string; data: never }
    if (answer.status !== 'success') throw new Error(`${parameters.query}: ${answer.error}`)
    return answer.data
  }
}

function configYaml({ targets, rules = [], intervalMs = 1000 }: PrometheusOptions): string {
  const interval = `${intervalMs}ms`
  const jobs = new Map<string, ScrapeTarget[]>()
  for (const target of targets) {
    const key = `${target.job} ${target.path ?? '/metrics'}`
    jobs.set(key, [...(jobs.get(key) ?? []), target])
  }
  return stringify({
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: rules,
    scrape_configs: [...jobs.values()].map((of) => ({
      job_name: of[0]?.job,
      metrics_path: of[0]?.path ?? '/metrics',
      static_configs: of.map(({ address, labels = {} }) => ({ targets: [address], labels })),
    })),
  })
}
