import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { builtCli } from '../e2e/built.ts'

/** `lateen mixer` in a process of its own, which can be killed and started again where it was. */
export class MixerChild {
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-mixer-'))
  #child: ChildProcess | undefined
  #httpPort = 0
  port = 0

  constructor(configuration: string) {
    writeFileSync(join(this.#dir, 'mixer.yaml'), configuration)
  }

  async start(): Promise<void> {
    const addresses = ['--grpc-address', `127.0.0.1:${this.port}`, '--http-address', '127.0.0.1:0']
    const args = [builtCli(), 'mixer', '--config', this.#dir, ...addresses, '--exit-with-parent']
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'pipe'] })
    this.#child = child
    let errors = ''
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`the mixer ended: ${errors}`)))
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        errors += text
        const started = /"message":"mixer started".*"grpc":"127\.0\.0\.1:(\d+)","http":(\d+)/.exec(errors)
        if (started === null) return
        this.port = Number(started[1])
        this.#httpPort = Number(started[2])
        resolve()
      })
    })
  }

  /** As `kill -9` does. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    if (child.kill('SIGKILL')) await exited
  }

  /** Its own metrics, and those of its handlers. */
  async scraped(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.#httpPort}/metrics`)).text()
  }

  /** A counter by its name in the mixer's own metrics. */
  async metric(name: string): Promise<number> {
    const text = await this.scraped()
    return Number(new RegExp(`^mixer_${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
