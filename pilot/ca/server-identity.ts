import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import type { Clock, Timer } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import { type ServerCertificate, ServerCertificates } from '../../lib/grpc-certificates.ts'
import type { Logger } from '../../lib/log.ts'
import type { CertificateName } from '../../lib/x509/certificate.ts'
import { type CertificateAuthority, lifeOf } from './authority.ts'

const TTL_MS = 24 * 3_600_000
/** Renewed at half of its life, so that many a failure may come between. */
const RENEW_AT = 0.5
const RETRY_MS = 60_000

/** The certificate of our own server, signed by our own authority, and always a fresh one. */
export class ServerIdentity extends ServerCertificates {
  readonly #authority: CertificateAuthority
  readonly #names: readonly CertificateName[]
  readonly #clock: Clock
  readonly #log: Logger
  #current: ServerCertificate
  #timer: Timer | undefined

  /** Throws CA_EXPIRED. */
  constructor(authority: CertificateAuthority, names: readonly CertificateName[], clock: Clock, log: Logger) {
    super()
    this.#authority = authority
    this.#names = names
    this.#clock = clock
    this.#log = log
    this.#current = this.#sign()
  }

  protected identity(): ServerCertificate {
    return this.#current
  }

  /** Clients that show a certificate show one of this authority's. */
  protected roots(): Buffer {
    return Buffer.from(this.#authority.roots)
  }

  /** The authority has changed. */
  renew(): void {
    this.#timer?.cancel()
    this.#onDue()
    this.tellRoots()
  }

  close(): void {
    this.#timer?.cancel()
  }

  #sign(): ServerCertificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const chain = this.#authority.signServer(publicKey, this.#names, TTL_MS)
    // The root is the client's to have.
    const certificate = Buffer.from(chain.slice(0, -1).join(''))
    const { endMs } = lifeOf(new X509Certificate(chain[0] as string))
    this.#renewIn((endMs - this.#clock.wallMs()) * RENEW_AT)
    return { certificate, privateKey: Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()) }
  }

  #renewIn(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => this.#onDue())
  }

  #onDue(): void {
    try {
      this.#current = this.#sign()
      this.tellIdentity()
    } catch (thrown) {
      this.#log.error("the server's own certificate could not be renewed", { error: errorText(thrown) })
      this.#renewIn(RETRY_MS)
    }
  }
}
