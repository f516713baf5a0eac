import { systemClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import {
  dropPrevious,
  rotationPhase,
  settleRotation,
  spreadNext,
  stepBack,
  switchIssuer,
} from '../../pilot/ca/rotation.ts'
import { CliError, EXIT } from '../exit.ts'
import { Proofs } from './proofs.ts'

export interface StepOptions {
  /** The folder of the authority. */
  readonly caDir: string
  /** HTTP address of each pilot. */
  readonly pilot: readonly string[]
  /** How long each step waits for its proof, in seconds. */
  readonly waitS: number
}

export interface RotateOptions extends StepOptions {
  /** The folder of the new authority; without it a root is made. */
  readonly from?: string
  readonly trustDomain: string
}

/** Changes the authority; goes on from wherever the last call has left it. `say` is told of each step. */
export async function rotate(options: RotateOptions, say: (line: string) => void): Promise<void> {
  const { caDir, from, trustDomain } = options
  settleRotation(caDir, silentLogger)
  const proofs = new Proofs(options, say)
  if (rotationPhase(caDir) === 'steady') {
    await proofs.pilotsFollow()
    spreadNext(caDir, from, trustDomain, systemClock, silentLogger)
    say('1 of 3: the new root is being spread; the old authority signs')
  } else if (from !== undefined) {
    throw new CliError('a rotation is under way already: go on without --from, or go back', EXIT.usage)
  }
  if (rotationPhase(caDir) === 'spreading') {
    await proofs.forNext('every connected proxy has accepted the new root')
    switchIssuer(caDir, silentLogger)
    say('2 of 3: the new authority signs; the old root is still trusted')
  }
  await proofs.forNext('nobody has a certificate of the old authority')
  dropPrevious(caDir, silentLogger)
  await proofs.pilotsFollow()
  say('3 of 3: the old root is no longer trusted, and the old key is gone')
}

/** One step back. */
export async function back(options: StepOptions, say: (line: string) => void): Promise<void> {
  const { caDir } = options
  settleRotation(caDir, silentLogger)
  const phase = rotationPhase(caDir)
  if (phase === 'spreading') {
    await new Proofs(options, say).forBack('nobody has a certificate of the new authority')
  }
  stepBack(caDir, silentLogger)
  say(phase === 'switched' ? 'the old authority signs again; both roots are trusted' : 'the new root is gone')
}
