import { type ChildProcess, spawn } from 'node:child_process'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { canConnect } from './mesh.ts'

/** A real Redis that keeps nothing on disk. */
export class RedisProcess {
  readonly #program: string
  #child: ChildProcess | undefined
  port = 0

  constructor(program: string) {
    this.#program = program
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** The first time on a free port, then on the same one. */
  async start(): Promise<void> {
    if (this.port === 0) this.port = await freePort()
    const args = [
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      '/tmp',
    ]
    const child = spawn(this.#program, args, { stdio: 'ignore' })
    this.#child = child
    await eventually(async () => {
      await canConnect('127.0.0.1', this.port)
      // Of one that ended because the port was taken, it is another that listens there.
      if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
    }, 15_000)
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }
}
