import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { run } from './tls-clients.ts'

/** Whose connections the rules of a namespace redirect (`--uid-owner`): nobody's. */
export const REDIRECTED_UID = 65534

/** A network of its own, with nothing but a loopback interface. Needs root. */
export class NetworkNamespace {
  readonly #holder: ChildProcess
  readonly #children: ChildProcess[] = []

  private constructor(holder: ChildProcess) {
    this.#holder = holder
  }

  /** Runs these commands of `ip` and `iptables` in it. */
  static async create(setup: readonly string[]): Promise<NetworkNamespace> {
    const script = [...setup, 'echo ready', 'exec cat'].join(' && ')
    const holder = spawn('unshare', ['--net', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'pipe'] })
    let error = ''
    holder.stderr.on('data', (chunk) => (error += chunk))
    const failed = once(holder, 'exit').then(() => {
      throw new Error(`no network namespace: ${error}`)
    })
    await Promise.race([once(holder.stdout, 'data'), failed])
    failed.catch(() => {})
    return new NetworkNamespace(holder)
  }

  /** What goes before a command to run it here. */
  get enter(): readonly string[] {
    return ['nsenter', this.#net]
  }

  /** Runs a program in it to its end. */
  async run(command: string, args: readonly string[]): Promise<void> {
    const { code, output } = await run('nsenter', [this.#net, command, ...args])
    if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${output}`)
  }

  /** Starts a program in it. */
  start(command: string, args: readonly string[]): ChildProcess {
    const child = spawn('nsenter', [this.#net, command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#children.push(child)
    return child
  }

  /** What curl says of this URL, asked as the user whose connections are redirected, or as root. */
  async curl(url: string, uid = REDIRECTED_UID): Promise<string> {
    const as = ['-S', String(uid), '-G', String(uid)]
    const { output } = await run('nsenter', [this.#net, ...as, 'curl', '-sS', '-g', '--max-time', '10', url])
    return output
  }

  async close(): Promise<void> {
    const all = [...this.#children, this.#holder].filter(
      (child) => child.exitCode === null && child.signalCode === null,
    )
    const gone = all.map((child) => once(child, 'exit'))
    for (const child of all) child.kill('SIGKILL')
    await Promise.all(gone)
  }

  get #net(): string {
    return `--net=/proc/${this.#holder.pid}/ns/net`
  }
}
