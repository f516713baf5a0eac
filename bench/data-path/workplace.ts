import type { ChildProcess } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listening, run, start, stop } from '../process.ts'
import { type Certificates, issueCertificates } from './certificates.ts'
import { LOAD_CORE } from './settings.ts'

/** A temporary folder and the processes of a bench. Whatever began here ends with `close`. */
export class Workplace {
  readonly dir = mkdtempSync(join(tmpdir(), 'lateen-bench-'))
  readonly certificates: Certificates = issueCertificates()
  readonly #children = new Set<ChildProcess>()
  #files = 0
  #closing: Promise<void> | undefined

  constructor() {
    // Backends that give up root read their files here.
    chmodSync(this.dir, 0o755)
  }

  /** Writes a file of its own name that ends in `name`; returns its path. */
  file(name: string, content: string | Buffer): string {
    const path = join(this.dir, `${this.#files++}-${name}`)
    writeFileSync(path, content)
    return path
  }

  /** Starts a program and waits until it listens. Rejects when it ends before, or does not in ten seconds. */
  async serve(command: readonly string[], core: number, port: number): Promise<ChildProcess> {
    if (this.#closing !== undefined) throw new Error('interrupted')
    const child = start(command[0] as string, command.slice(1), core)
    this.#children.add(child)
    const ended = new Promise<never>((_, reject) => {
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`${command.join(' ')} ended with ${code} before it listened`)))
    })
    ended.catch(() => {})
    await Promise.race([listening(port), ended])
    return child
  }

  /** Runs a load tool to its end. */
  async load(command: string, args: readonly string[]): Promise<string> {
    if (this.#closing !== undefined) throw new Error('interrupted')
    const { child, output } = run(command, args, LOAD_CORE)
    this.#children.add(child)
    try {
      return await output
    } finally {
      this.#children.delete(child)
    }
  }

  /** Ends these processes, or all. */
  async stop(children: Iterable<ChildProcess> = this.#children): Promise<void> {
    const ending = [...children]
    for (const child of ending) this.#children.delete(child)
    await Promise.all(ending.map(stop))
  }

  /** Resolves when all is stopped and removed; may be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.stop()
    this.certificates.remove()
    rmSync(this.dir, { recursive: true, force: true })
  }
}
