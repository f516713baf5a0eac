import { type ChildProcess, spawn } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { eventually } from './eventually.ts'
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
    this.#child = spawn(this.#program, args, { stdio: 'ignore' })
    await eventually(() => canConnect('127.0.0.1', this.port), 15_000)
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
