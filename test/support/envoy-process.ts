import { type ChildProcess, spawn } from 'node:child_process'

/** How much of what it last said is kept. */
const LOG_CHARS = 4000

/** A real Envoy with one worker, and what it complains of. */
export class EnvoyProcess {
  readonly #child: ChildProcess
  log = ''

  /** `envoy` is its path, `file` the bootstrap. */
  constructor(envoy: string, file: string) {
    const args = ['-c', file, '--concurrency', '1', '--log-level', 'error', '--use-dynamic-base-id']
    this.#child = spawn(envoy, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.log = (this.log + chunk.toString()).slice(-LOG_CHARS)
    })
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }
}
