import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timer } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { LeafLedger } from './leaf-ledger.ts'

/** By the fingerprint of an issuer: when the last of its certificates ends, in milliseconds since 1970. */
const FILE = 'last-ends.json'
const PRIVATE_FILE = 0o600
const WRITE_MS = 1_000

/** Keeps of the ledger what must outlive the process: until when an issuer's certificates may be in use. */
export class LeafFile {
  readonly ledger: LeafLedger
  readonly #file: string
  readonly #clock: Clock
  readonly #log: Logger
  #written: string
  #timer: Timer | undefined

  constructor(dir: string, clock: Clock, log: Logger) {
    this.#file = join(dir, FILE)
    this.#clock = clock
    this.#log = log
    this.ledger = new LeafLedger(clock, this.#read())
    this.#written = this.#text()
    this.#writeLater()
  }

  close(): void {
    this.#timer?.cancel()
    this.#write()
  }

  #writeLater(): void {
    this.#timer = this.#clock.setTimer(WRITE_MS, () => {
      this.#write()
      this.#writeLater()
    })
  }

  #read(): ReadonlyMap<string, number> {
    if (!existsSync(this.#file)) return new Map()
    try {
      const ends = Object.entries(JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, unknown>)
      return new Map(ends.flatMap(([issuer, endMs]) => (typeof endMs === 'number' ? [[issuer, endMs] as const] : [])))
    } catch (thrown) {
      this.#log.error('it is not known until when certificates may be in use', { error: errorText(thrown) })
      return new Map()
    }
  }

  #write(): void {
    const text = this.#text()
    if (text === this.#written) return
    try {
      writeFileSync(`${this.#file}.new`, text, { mode: PRIVATE_FILE })
      renameSync(`${this.#file}.new`, this.#file)
    } catch (thrown) {
      // A folder that is mounted cannot be written: then it is not known after a restart, which proof.ts takes into account.
      this.#log.warning('until when certificates are in use cannot be kept', { error: errorText(thrown) })
    }
    this.#written = text
  }

  /** What has ended is no longer of interest. */
  #text(): string {
    const nowMs = this.#clock.wallMs()
    return JSON.stringify(Object.fromEntries([...this.ledger.lastEnds].filter(([, endMs]) => endMs > nowMs)))
  }
}
