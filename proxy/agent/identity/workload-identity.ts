import { createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { Backoff } from '../../../lib/backoff.ts'
import type { Clock, Timer } from '../../../lib/clock.ts'
import { errorText, MeshError } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import type { Metric, MetricStore } from '../../../lib/metrics/store.ts'
import type { Random } from '../../../lib/random.ts'
import { fromPem } from '../../../lib/x509/pem.ts'
import { makeSigningRequest } from '../../../lib/x509/signing-request.ts'
import type { IdentityState } from '../../xds/secret-provider.ts'
import type { CertificateSource } from './certificate-source.ts'

/** What a workload shows, and whom it believes. */
export interface WorkloadCertificate {
  /** PEM, the workload's own first; without the root. */
  readonly chain: string
  /** PEM. It was made in this process and leaves it towards OpenSSL only. */
  readonly privateKey: string
  /** PEM of the roots that peers' certificates must lead to. */
  readonly roots: string
  readonly startMs: number
  readonly endMs: number
}

export interface WorkloadIdentityOptions {
  readonly source: CertificateSource
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: MetricStore
  /** Hears of each new certificate. */
  readonly onCertificate: (certificate: WorkloadCertificate) => void
}

/**
 * Renewed between these parts of a certificate's life (Istio's grace period ratio is a half): where many workloads began at one
 * time they are soon apart, and half of the life is left for an authority that cannot be reached.
 */
const EARLIEST = 0.45
const LATEST = 0.55
/**
 * When another authority signs than the one before, certificates are renewed within this time, or this part of their life: soon, and
 * not all at once.
 */
const OTHER_ISSUER_MS = 30_000
const OTHER_ISSUER_PART = 0.1
const RETRY_BASE_MS = 1_000
const RETRY_MAX_MS = 60_000
/** Nor longer than this part of what is left of the certificate's life. */
const RETRY_PART = 0.2
/** A certificate that ends sooner would be asked for without a pause. */
const MIN_LIFE_MS = 2_000

/**
 * Keeps a workload's certificate fresh. Each has a key of its own. When none can be had the last one stays, and that is said: in the
 * log, and by `workload_identity.renewal_failures` and `workload_identity.expires_at_seconds`.
 */
export class WorkloadIdentity {
  readonly #options: WorkloadIdentityOptions
  readonly #backoff: Backoff
  readonly #renewals: Metric
  readonly #failures: Metric
  readonly #expiresAt: Metric
  #timer: Timer | undefined
  #dueMs = 0
  #bundle = ''
  #abort: AbortController | undefined
  #isClosed = false
  /** The one in force; undefined before the first. */
  current: WorkloadCertificate | undefined
  /** Why the last attempt failed; '' when it did not. */
  lastError = ''
  /** When that began, by the wall clock; undefined while all is well. */
  failingSinceMs: number | undefined

  constructor(options: WorkloadIdentityOptions) {
    const { metrics, random } = options
    this.#options = options
    this.#backoff = new Backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random })
    this.#renewals = metrics.counter('workload_identity.renewals')
    this.#failures = metrics.counter('workload_identity.renewal_failures')
    this.#expiresAt = metrics.gauge('workload_identity.expires_at_seconds')
  }

  /** Asks for the first certificate, and goes on by itself. */
  start(): void {
    void this.#renew()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#abort?.abort()
  }

  get state(): IdentityState {
    const { current, lastError, failingSinceMs } = this
    const endMs = current?.endMs
    const isExpired = endMs !== undefined && endMs <= this.#options.clock.wallMs()
    return { startMs: current?.startMs, endMs, isExpired, lastError, failingSinceMs }
  }

  /** PEM of what the mesh trusts now, the root of the authority that signs first. A certificate that does not lead there is renewed. */
  onTrustBundle(roots: string): void {
    const { clock, random } = this.#options
    this.#bundle = roots
    const [first] = fromPem(roots, 'CERTIFICATE')
    if (first === undefined || this.current === undefined || leadsTo(this.current, new X509Certificate(first))) return
    const leftMs = this.current.endMs - clock.wallMs()
    const delayMs = Math.min(OTHER_ISSUER_MS, leftMs * OTHER_ISSUER_PART) * random.next()
    if (clock.nowMs() + delayMs < this.#dueMs) this.#renewIn(delayMs)
  }

  async #renew(): Promise<void> {
    const { clock, log, random, source } = this.#options
    this.#abort = new AbortController()
    try {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const pems = await source.sign(makeSigningRequest(privateKey), this.#abort.signal)
      if (this.#isClosed) return
      const certificate = readChain(pems, privateKey, clock.wallMs())
      this.current = certificate
      this.lastError = ''
      this.failingSinceMs = undefined
      this.#backoff.reset()
      this.#renewals.inc()
      this.#expiresAt.set(Math.floor(certificate.endMs / 1000))
      const lifeMs = certificate.endMs - clock.wallMs()
      this.#renewIn(lifeMs * (EARLIEST + (LATEST - EARLIEST) * random.next()))
      // It may have been asked for before, and signed by the one before.
      this.onTrustBundle(this.#bundle)
      log.info('workload certificate renewed', { until: new Date(certificate.endMs).toISOString() })
      this.#options.onCertificate(certificate)
    } catch (thrown) {
      if (this.#isClosed) return
      this.#onFailure(errorText(thrown))
    }
  }

  #onFailure(error: string): void {
    const { clock, log } = this.#options
    this.lastError = error
    this.failingSinceMs ??= clock.wallMs()
    this.#failures.inc()
    const endMs = this.current?.endMs
    const leftMs = endMs === undefined ? Number.POSITIVE_INFINITY : endMs - clock.wallMs()
    const patienceMs = Math.max(RETRY_BASE_MS, leftMs * RETRY_PART)
    const retryInMs = Math.min(RETRY_BASE_MS + this.#backoff.nextDelayMs(), patienceMs)
    this.#renewIn(retryInMs)
    log.error('no new workload certificate; the last one stays', {
      error,
      until: endMs === undefined ? 'there is none' : new Date(endMs).toISOString(),
      isExpired: endMs !== undefined && endMs <= clock.wallMs(),
      retryInMs,
    })
  }

  #renewIn(delayMs: number): void {
    this.#timer?.cancel()
    this.#dueMs = this.#options.clock.nowMs() + delayMs
    this.#timer = this.#options.clock.setTimer(delayMs, () => void this.#renew())
  }
}

/** Throws CA_REFUSED for what is not a chain of certificates for this key, valid now and for a while. */
function readChain(pems: readonly string[], privateKey: KeyObject, nowMs: number): WorkloadCertificate {
  if (pems.length < 2) throw unusable('it has no certificate and no root')
  const certificates = pems.map((pem) => new X509Certificate(pem))
  const leaf = certificates[0] as X509Certificate
  const root = certificates[certificates.length - 1] as X509Certificate
  if (!leaf.publicKey.equals(createPublicKey(privateKey))) throw unusable('it is for another key')
  const [startMs, endMs] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]
  if (startMs > nowMs || endMs - nowMs < MIN_LIFE_MS) {
    throw unusable(`it is valid from ${leaf.validFrom} to ${leaf.validTo}; is one of the clocks wrong?`)
  }
  if (!root.ca) throw unusable('its last certificate is no authority’s')
  return {
    chain: pems.slice(0, -1).join(''),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    roots: pems[pems.length - 1] as string,
    startMs,
    endMs,
  }
}

function leadsTo({ chain }: WorkloadCertificate, root: X509Certificate): boolean {
  const last = fromPem(chain, 'CERTIFICATE').at(-1)
  if (last === undefined) return false
  const highest = new X509Certificate(last)
  return highest.checkIssued(root) && highest.verify(root.publicKey)
}

function unusable(reason: string): MeshError {
  return new MeshError('CA_REFUSED', `what the certificate authority answered cannot be used: ${reason}`, {
    source: 'upstream',
  })
}
