import { type ChildProcess, spawn } from 'node:child_process'
import { eventually } from './eventually.ts'

/** What Zipkin says of a span. */
export interface ZipkinSpan {
  readonly traceId: string
  readonly id: string
  readonly parentId?: string
  readonly kind: string
  readonly name: string
  readonly timestamp: number
  readonly duration: number
  readonly shared?: boolean
  readonly localEndpoint: { readonly serviceName: string }
  readonly tags: Readonly<Record<string, string>>
}

/** A Java machine takes long to start where others work beside it. */
const START_MS = 120_000

/** A real Zipkin that keeps traces in memory. */
export class ZipkinProcess {
  readonly port: number
  readonly #child: ChildProcess

  constructor(java: string, jar: string, port: number) {
    this.port = port
    this.#child = spawn(java, ['-Xmx192m', '-XX:TieredStopAtLevel=1', '-jar', jar], {
      stdio: 'ignore',
      env: { ...process.env, QUERY_PORT: String(port), STORAGE_TYPE: 'mem', SELF_TRACING_ENABLED: 'false' },
    })
  }

  async ready(): Promise<void> {
    await eventually(async () => {
      const { status } = await fetch(`http://127.0.0.1:${this.port}/health`)
      if (status !== 200) throw new Error(`Zipkin is not ready: ${status}`)
    }, START_MS)
  }

  /** The spans of a trace, none while it is unknown. */
  async trace(traceId: string): Promise<ZipkinSpan[]> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/v2/trace/${traceId}`)
    return answer.status === 200 ? ((await answer.json()) as ZipkinSpan[]) : []
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }
}
