import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { makeSigningRequest } from '../../lib/x509/signing-request.ts'
import { CertificateAuthority } from '../../pilot/ca/authority.ts'
import { openMaterial } from '../../pilot/ca/material.ts'

/*
 * Signing requests that the authority reads, checks and signs in a second, on one thread: keys and signatures of P-256.
 *
 *   npm run build && node dist/bench/micro/certificates.js
 */

const ROUNDS = 9
const REQUESTS = 500

const dir = mkdtempSync(join(tmpdir(), 'lateen-bench-ca-'))
try {
  const material = openMaterial(join(dir, 'ca'), 'cluster.local', systemClock, silentLogger)
  const authority = new CertificateAuthority({ material, clock: systemClock })
  const identity = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'reviews' }
  const requests = Array.from({ length: REQUESTS }, () =>
    makeSigningRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
  )
  const rates: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const startMs = performance.now()
    for (const request of requests) authority.signWorkload(request, identity, 0)
    // The first is there to warm up.
    if (round > 0) rates.push((REQUESTS * 1000) / (performance.now() - startMs))
  }
  rates.sort((a, b) => a - b)
  const [low, median, high] = [rates[0], rates[Math.floor(ROUNDS / 2)], rates.at(-1)] as [number, number, number]
  process.stdout.write(`${median.toFixed(0)} requests signed a second (${low.toFixed(0)}..${high.toFixed(0)})\n`)
} finally {
  rmSync(dir, { recursive: true })
}
