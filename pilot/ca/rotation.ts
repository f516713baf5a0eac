import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { createAuthority, FILES, readMaterial, rootsThatLead } from './material.ts'

/**
 * A change of the authority, root and all, as steps in its folder. At every moment peers of both trust each other, if each step is
 * taken only when the one before has reached everybody (pilot/ca/proof.ts knows):
 *
 *   steady      one authority
 *   spreading   `next/` has the new one; the roots of both are trusted, the old one signs
 *   switched    the new one signs; `previous/` has the old one, whose roots are still trusted
 *   steady      the old one is gone
 *
 * Each step can be interrupted at any point: settleRotation() finishes it.
 */
export type RotationPhase = 'steady' | 'spreading' | 'switched'

const NEXT = 'next'
export const PREVIOUS = 'previous'
/** The authority that is taking the place of the one that signs, and the folder that this one goes to. */
const SWITCHING = [
  ['switching-forward', PREVIOUS],
  ['switching-back', NEXT],
] as const
const PRIVATE_FILE = 0o600

export function rotationPhase(dir: string): RotationPhase {
  if (existsSync(join(dir, NEXT))) return 'spreading'
  return existsSync(join(dir, PREVIOUS)) ? 'switched' : 'steady'
}

/** Finishes a step that was interrupted. Writes nothing when there is none. */
export function settleRotation(dir: string, log: Logger): void {
  for (const [switching, goesTo] of SWITCHING) {
    if (existsSync(join(dir, switching))) finishSwitch(dir, switching, goesTo, log)
  }
  if (rotationPhase(dir) === 'spreading') trustBoth(dir, NEXT, log)
}

/**
 * Brings a new authority in. `from` is a folder in Istio's `cacerts` layout; without it a root that signs itself is made. Throws
 * CA_INVALID when what is there is no authority.
 */
export function spreadNext(
  dir: string,
  from: string | undefined,
  trustDomain: string,
  clock: Clock,
  log: Logger,
): void {
  expectPhase(dir, 'steady')
  if (from === undefined) createAuthority(join(dir, NEXT), trustDomain, clock)
  else copyAuthority(from, dir, NEXT, log)
  trustBoth(dir, NEXT, log)
}

/** From now on the new authority signs. */
export function switchIssuer(dir: string, log: Logger): void {
  expectPhase(dir, 'spreading')
  const [switching, goesTo] = SWITCHING[0]
  renameSync(join(dir, NEXT), join(dir, switching))
  finishSwitch(dir, switching, goesTo, log)
}

/** The old authority, its key and what only it is trusted by are gone for good. */
export function dropPrevious(dir: string, log: Logger): void {
  expectPhase(dir, 'switched')
  forget(dir, PREVIOUS, log)
}

/** One step back: the old authority signs again, or the new one is gone before it ever did. */
export function stepBack(dir: string, log: Logger): void {
  const phase = rotationPhase(dir)
  if (phase === 'steady') throw wrongPhase('there is no rotation to go back from')
  if (phase === 'spreading') {
    forget(dir, NEXT, log)
    return
  }
  const [switching, goesTo] = SWITCHING[1]
  renameSync(join(dir, PREVIOUS), join(dir, switching))
  finishSwitch(dir, switching, goesTo, log)
}

function finishSwitch(dir: string, switching: string, goesTo: string, log: Logger): void {
  if (!existsSync(join(dir, goesTo))) copyAuthority(dir, dir, goesTo, log)
  const from = join(dir, switching)
  for (const file of [FILES.key, FILES.certificate, FILES.chain, FILES.roots]) {
    if (existsSync(join(from, file))) replaceFile(join(dir, file), readFileSync(join(from, file), 'utf8'))
    else rmSync(join(dir, file), { force: true })
  }
  trustBoth(dir, goesTo, log)
  rmSync(from, { recursive: true })
}

/** The roots of the one that signs, first, and of the one beside it. */
function trustBoth(dir: string, other: string, log: Logger): void {
  const own = readMaterial(dir, log).rootList
  const theirs = readMaterial(join(dir, other), log).rootList
  const missing = theirs.filter((root) => !own.includes(root))
  if (missing.length > 0) replaceFile(join(dir, FILES.roots), [...own, ...missing].join(''))
}

function forget(dir: string, other: string, log: Logger): void {
  const { rootList } = readMaterial(dir, log)
  const theirs = readMaterial(join(dir, other), log).rootList
  const needed = rootsThatLead(dir, log)
  const kept = rootList.filter((root) => !theirs.includes(root) || needed.includes(root))
  replaceFile(join(dir, FILES.roots), kept.join(''))
  rmSync(join(dir, other), { recursive: true })
}

/** With those of its roots that it needs itself. */
function copyAuthority(from: string, dir: string, name: string, log: Logger): void {
  const beside = mkdtempSync(join(dir, `${name}.new-`))
  try {
    for (const file of Object.values(FILES)) {
      if (existsSync(join(from, file))) replaceFile(join(beside, file), readFileSync(join(from, file), 'utf8'))
    }
    if (from === dir) replaceFile(join(beside, FILES.roots), rootsThatLead(dir, log).join(''))
    readMaterial(beside, log)
    renameSync(beside, join(dir, name))
  } catch (thrown) {
    rmSync(beside, { recursive: true, force: true })
    throw thrown
  }
}

/** Whoever reads finds the old content or the new. */
function replaceFile(file: string, text: string): void {
  const beside = `${file}.new`
  writeFileSync(beside, text, { mode: PRIVATE_FILE })
  renameSync(beside, file)
}

function expectPhase(dir: string, expected: RotationPhase): void {
  const phase = rotationPhase(dir)
  if (phase !== expected) throw wrongPhase(`the rotation is ${phase}, and must be ${expected} for this step`)
}

function wrongPhase(reason: string): MeshError {
  return new MeshError('CA_ROTATION', reason, { source: 'local' })
}
