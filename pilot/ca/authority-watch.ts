import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timer } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import type { CertificateAuthority } from './authority.ts'
import { FILES } from './material.ts'
import { PREVIOUS } from './rotation.ts'
import { openSigners } from './signers.ts'

/** Mounted secrets are replaced by links, of which no watch of the kernel's tells: they are looked at so often. */
const LOOK_MS = 1_000

export interface AuthorityWatchOptions {
  readonly dir: string
  readonly trustDomain: string
  readonly authority: CertificateAuthority
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: MetricStore
  /** The authority signs by others, or trusts others, than before. */
  readonly onChange: () => void
}

/** Takes over what is put into the authority's folder while it runs. What cannot be used is said once, and the last good stays. */
export class AuthorityWatch {
  readonly #options: AuthorityWatchOptions
  readonly #failures
  #seen: string
  #timer: Timer | undefined

  constructor(options: AuthorityWatchOptions) {
    this.#options = options
    this.#failures = options.metrics.counter('ca.reload_failures')
    this.#seen = fingerprint(options.dir)
    this.#lookLater()
  }

  close(): void {
    this.#timer?.cancel()
  }

  #lookLater(): void {
    this.#timer = this.#options.clock.setTimer(LOOK_MS, () => {
      this.look()
      this.#lookLater()
    })
  }

  look(): void {
    const { dir, trustDomain, authority, clock, log, onChange } = this.#options
    const now = fingerprint(dir)
    if (now === this.#seen) return
    try {
      const { signer, serverSigner } = openSigners(dir, trustDomain, clock, log)
      const before = authority.material.certificate.fingerprint256
      authority.replace(signer, serverSigner)
      log.info('the certificate authority has changed', {
        before,
        now: signer.certificate.fingerprint256,
        until: signer.certificate.validTo,
        roots: signer.rootList.length,
      })
      onChange()
    } catch (thrown) {
      this.#failures.inc()
      log.error('what is in the folder of the authority cannot be used; the last good one stays', {
        error: errorText(thrown),
      })
    }
    // Finishing an interrupted step may have written.
    this.#seen = fingerprint(dir)
  }
}

/** Another when one of the files is, which are always replaced as a whole. */
function fingerprint(dir: string): string {
  const files = Object.values(FILES).flatMap((file) => [join(dir, file), join(dir, PREVIOUS, file)])
  return files.map(stateOf).join(' ')
}

function stateOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false, bigint: true })
  return stats === undefined ? '-' : `${stats.ino}:${stats.mtimeNs}:${stats.size}`
}
