import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { builtCli } from '../e2e/built.ts'
import { type StaticProxyOptions, staticBootstrap } from './static-proxy.ts'

/** A proxy in a process of its own, so that its memory can be told from the test's. */
export class ProxyProcess {
  readonly #child: ChildProcess
  readonly #dir: string
  port = 0
  errors = ''

  private constructor(child: ChildProcess, dir: string) {
    this.#child = child
    this.#dir = dir
  }

  static async start(options: StaticProxyOptions, node = process.execPath): Promise<ProxyProcess> {
    const cli = builtCli()
    const dir = mkdtempSync(join(tmpdir(), 'lateen-proxy-'))
    const file = join(dir, 'bootstrap.json')
    writeFileSync(file, staticBootstrap({ ...options, adminPort: 0 }))
    // It ends with its standard input, and so with this process.
    const args = [cli, 'proxy', '-c', file, '--drain-time-s', '0', '--exit-with-parent']
    const child = spawn(node, args, { stdio: ['pipe', 'ignore', 'pipe'] })
    const proxy = new ProxyProcess(child, dir)
    await proxy.#started()
    return proxy
  }

  /** Resident set in bytes, by Linux's /proc. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'latin1')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await exited
    rmSync(this.#dir, { recursive: true, force: true })
  }

  async #started(): Promise<void> {
    const admin = await new Promise<number>((resolve, reject) => {
      this.#child.once('exit', () => reject(new Error(`the proxy ended: ${this.errors}`)))
      this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        this.errors += text
        const port = /"message":"proxy started".*"admin":(\d+)/.exec(this.errors)?.[1]
        if (port !== undefined) resolve(Number(port))
      })
    })
    const listeners = await (await fetch(`http://127.0.0.1:${admin}/listeners`)).text()
    this.port = Number(/127\.0\.0\.1:(\d+)/.exec(listeners)?.[1])
  }
}
