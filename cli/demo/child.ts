import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { systemClock } from '../../lib/clock.ts'

const TAIL_LINES = 20

/**
 * A process of the demo. It holds the reading end of a pipe that this process holds the other end of, and ends when
 * that closes: so it ends with the demo, however the demo ends.
 */
export class Child {
  readonly name: string
  readonly logFile: string
  readonly pid: number | undefined
  /** Resolves with a sentence on how it ended. */
  readonly ended: Promise<string>
  readonly #process: ChildProcess
  #hasEnded = false

  /** Runs node with these arguments. */
  constructor(name: string, args: readonly string[], logFile: string) {
    this.name = name
    this.logFile = logFile
    const log = openSync(logFile, 'a')
    // Detached: Ctrl-C in the terminal goes to the demo alone, which ends its children in its own order.
    this.#process = spawn(process.execPath, args, { stdio: ['pipe', log, log], detached: true })
    closeSync(log)
    this.pid = this.#process.pid
    this.#process.stdin?.on('error', () => {})
    this.ended = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve(`could not be started: ${error.message}`))
      this.#process.once('exit', (code, signal) =>
        resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
      )
    })
    void this.ended.then(() => {
      this.#hasEnded = true
    })
  }

  /** The end of what it printed. */
  tail(): string {
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n')
  }

  /** Asks it to end, and ends it when it does not. */
  async stop(patienceMs: number): Promise<void> {
    if (this.#hasEnded) return
    this.#process.kill('SIGTERM')
    const timer = systemClock.setTimer(patienceMs, () => this.kill())
    await this.ended
    timer.cancel()
  }

  kill(): void {
    if (!this.#hasEnded) this.#process.kill('SIGKILL')
  }
}
