import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import { type AuthorityMaterial, openMaterial, readMaterial } from './material.ts'
import { PREVIOUS, rotationPhase, settleRotation } from './rotation.ts'

/** Who signs workloads' certificates, and our own server's: while one authority takes another's place everybody knows the old one. */
export interface Signers {
  readonly signer: AuthorityMaterial
  readonly serverSigner: AuthorityMaterial
}

/** As openMaterial(), with what a rotation has left beside it: see rotation.ts. */
export function openSigners(dir: string, trustDomain: string, clock: Clock, log: Logger): Signers {
  settleRotation(dir, log)
  const signer = openMaterial(dir, trustDomain, clock, log)
  const serverSigner = rotationPhase(dir) === 'switched' ? readMaterial(join(dir, PREVIOUS), log) : signer
  return { signer, serverSigner }
}
