import { setTimeout } from 'node:timers/promises'
import { systemClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { readMaterial } from '../../pilot/ca/material.ts'
import type { Certz } from '../../pilot/http/certz.ts'
import { CliError, EXIT } from '../exit.ts'
import type { StepOptions } from './rotate.ts'
import { certificatesOf } from './show.ts'

const ASK_EVERY_MS = 500
/** So many reasons are written out. */
const MAX_REASONS = 10

/** What a rotation waits for: every pilot must have seen what the folder says, and have nothing against the next step. */
export class Proofs {
  readonly #dir: string
  readonly #pilots: readonly string[]
  readonly #waitMs: number
  readonly #say: (line: string) => void

  constructor({ caDir, pilot, waitS }: StepOptions, say: (line: string) => void) {
    this.#dir = caDir
    this.#pilots = pilot
    this.#waitMs = waitS * 1000
    this.#say = say
  }

  /** Throws a CliError when a pilot does not read this folder, or cannot. */
  async pilotsFollow(): Promise<void> {
    await this.#until('the pilots have taken over what is in the folder', () => [])
  }

  async forNext(what: string): Promise<void> {
    await this.#until(what, (state) => state.blockers)
  }

  async forBack(what: string): Promise<void> {
    await this.#until(what, (state) => state.backBlockers)
  }

  async #until(what: string, against: (state: Certz) => readonly string[]): Promise<void> {
    const endMs = systemClock.nowMs() + this.#waitMs
    for (;;) {
      const reasons = await this.#reasons(against)
      if (reasons.length === 0) {
        this.#say(`proven: ${what}`)
        return
      }
      if (systemClock.nowMs() >= endMs) throw new CliError(refusal(what, reasons), EXIT.timeout)
      await setTimeout(ASK_EVERY_MS)
    }
  }

  async #reasons(against: (state: Certz) => readonly string[]): Promise<string[]> {
    const { certificate, rootList } = readMaterial(this.#dir, silentLogger)
    const found: string[] = []
    for (const pilot of this.#pilots) {
      const state = await certificatesOf(pilot)
      const isCurrent =
        state.issuer.fingerprint === certificate.fingerprint256 && state.roots.length === rootList.length
      if (isCurrent) found.push(...against(state))
      else found.push(`the pilot at ${pilot} signs and trusts by other files than those of ${this.#dir}`)
    }
    return found
  }
}

function refusal(what: string, reasons: readonly string[]): string {
  const listed = reasons.slice(0, MAX_REASONS).map((reason) => `  ${reason}`)
  if (reasons.length > MAX_REASONS) listed.push(`  and ${reasons.length - MAX_REASONS} more`)
  return [
    `not proven in time: ${what}. Nothing was changed.`,
    ...listed,
    'Call again to go on, or `lateen certs back` to go back.',
  ].join('\n')
}
