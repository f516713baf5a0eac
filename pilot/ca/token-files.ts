import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SpiffeId, spiffeId } from '../../api/spiffe.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { CallerCheck } from './callers.ts'

/** A shorter one could be guessed. */
const MIN_TOKEN_CHARS = 32
/** How soon files are looked at again for a token that is not known. */
const RESCAN_MS = 1_000

/**
 * The tokens of a mesh without Kubernetes: a folder with one file for each workload, `<namespace>/<service account>`, whose text is
 * the token. Whoever can read the file is that workload. A file that is new, changed or gone counts within a second.
 */
export class TokenFiles implements CallerCheck {
  readonly #dir: string
  readonly #trustDomain: string
  readonly #clock: Clock
  readonly #log: Logger
  /** By the hash of the token: how long a look-up takes then says nothing of what is in the table. */
  #identities = new Map<string, SpiffeId>()
  #scannedMs = Number.NEGATIVE_INFINITY
  #reported = new Set<string>()

  constructor(dir: string, trustDomain: string, clock: Clock, log: Logger) {
    this.#dir = dir
    this.#trustDomain = trustDomain
    this.#clock = clock
    this.#log = log
  }

  async identify(token: string): Promise<SpiffeId | undefined> {
    if (this.#clock.nowMs() - this.#scannedMs >= RESCAN_MS) this.#scan()
    return this.#identities.get(hashOf(token))
  }

  #scan(): void {
    this.#scannedMs = this.#clock.nowMs()
    const found = new Map<string, SpiffeId>()
    const twice = new Set<string>()
    for (const [namespace, serviceAccount, file] of tokenFiles(this.#dir)) {
      const identity = spiffeId(this.#trustDomain, namespace, serviceAccount)
      if (identity === undefined) {
        this.#report(file, 'its path is not <namespace>/<service account>')
        continue
      }
      const token = readToken(file)
      if (token === undefined) continue
      if (token.length < MIN_TOKEN_CHARS) {
        this.#report(file, `a token has at least ${MIN_TOKEN_CHARS} characters`)
        continue
      }
      const hash = hashOf(token)
      if (found.has(hash)) twice.add(hash)
      found.set(hash, identity)
    }
    // A token of two workloads says nothing of who comes with it.
    for (const hash of twice) found.delete(hash)
    if (twice.size > 0) this.#report(this.#dir, 'two workloads have the same token; neither gets a certificate')
    this.#identities = found
  }

  /** Once for each file and reason. */
  #report(file: string, reason: string): void {
    const key = `${file} ${reason}`
    if (this.#reported.has(key)) return
    this.#reported.add(key)
    this.#log.warning('token not taken', { file, reason })
  }
}

function* tokenFiles(dir: string): Generator<readonly [namespace: string, serviceAccount: string, file: string]> {
  for (const namespace of namesIn(dir)) {
    for (const name of namesIn(join(dir, namespace))) yield [namespace, name, join(dir, namespace, name)]
  }
}

/** Nothing for what is no folder, or is not there. Hidden files are how Kubernetes keeps what a mount points to. */
function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir).filter((name) => !name.startsWith('.'))
  } catch {
    return []
  }
}

/** undefined when the file has gone meanwhile. */
function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return undefined
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
