import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtCli } from '../e2e/built.ts'
import { type StaticProxyOptions, staticBootstrap } from './static-proxy.ts'

export interface ProcessOptions {
  readonly node?: string
  readonly workers?: number
  readonly drainTimeS?: number
  /** Other arguments of `lateen proxy`. */
  readonly args?: readonly string[]
}

const TELLING_MEMORY = ['--expose-gc', '--import', fileURLToPath(new URL('./tell-memory.mjs', import.meta.url))]

/** A proxy in a process of its own, so that its memory can be told from the test's. */
export class ProxyProcess {
  readonly #child: ChildProcess
  readonly #dir: string
  port = 0
  adminPort = 0
  /** What it logged. */
  errors = ''

  private constructor(child: ChildProcess, dir: string) {
    this.#child = child
    this.#dir = dir
  }

  static start(options: StaticProxyOptions, node = process.execPath): Promise<ProxyProcess> {
    return ProxyProcess.serve(staticBootstrap({ ...options, adminPort: 0 }), { node })
  }

  /** The bootstrap is JSON or YAML, with admin pages on a port of 127.0.0.1. */
  static async serve(bootstrap: string, options: ProcessOptions = {}): Promise<ProxyProcess> {
    const { node = process.execPath, workers = 0, drainTimeS = 0, args = [] } = options
    const cli = builtCli()
    const dir = mkdtempSync(join(tmpdir(), 'lateen-proxy-'))
    const file = join(dir, 'bootstrap.json')
    writeFileSync(file, bootstrap)
    // It ends with its standard input, and so with this process.
    const own = ['-c', file, '--workers', `${workers}`, '--drain-time-s', `${drainTimeS}`, '--exit-with-parent']
    const child = spawn(node, [...TELLING_MEMORY, cli, 'proxy', ...own, ...args], {
      stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
    })
    const proxy = new ProxyProcess(child, dir)
    await proxy.#started()
    return proxy
  }

  /** Resident set in bytes, by Linux's /proc. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'latin1')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  /** What it holds after a collection: objects and buffers of its main thread. */
  liveBytes(): Promise<number> {
    return new Promise((resolve) => {
      this.#child.once('message', (bytes) => resolve(bytes as number))
      this.#child.send('memory')
    })
  }

  /** An admin page. */
  async page(path: string): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.adminPort}${path}`)).text()
  }

  /** Tells it to end, by SIGTERM; its exit code. */
  terminate(): Promise<number | null> {
    const exited = new Promise<number | null>((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGTERM')
    return exited
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await exited
    rmSync(this.#dir, { recursive: true, force: true })
  }

  async #started(): Promise<void> {
    this.adminPort = await new Promise<number>((resolve, reject) => {
      this.#child.once('exit', () => reject(new Error(`the proxy ended: ${this.errors}`)))
      this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        this.errors += text
        const port = /"message":"proxy started".*"admin":(\d+)/.exec(this.errors)?.[1]
        if (port !== undefined) resolve(Number(port))
      })
    })
    this.port = Number(/127\.0\.0\.1:(\d+)/.exec(await this.page('/listeners'))?.[1])
  }
}
