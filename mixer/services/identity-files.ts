import { X509Certificate } from 'node:crypto'
import { type BigIntStats, readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { experimental, type ServerCredentials } from '@grpc/grpc-js'
import type { Clock, Timer } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import { type ServerCertificate, ServerCertificates } from '../../lib/grpc-certificates.ts'
import type { Logger } from '../../lib/log.ts'
import type { Metric, MetricStore } from '../../lib/metrics/store.ts'

type Provider = experimental.CertificateProvider

export interface IdentityFileNames {
  /** PEM: the server's own certificate, and those between it and a root. */
  readonly certFile: string
  readonly keyFile: string
  /** PEM of roots: when given, clients must show a certificate that leads to one of them. */
  readonly clientCaFile: string | undefined
}

export interface IdentityEnvironment {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: MetricStore
}

interface Material extends ServerCertificate {
  readonly roots: Buffer | undefined
}

/** Each look is a call to the kernel for each file: it sees mounted volumes and symbolic links change, which inotify would not. */
const LOOK_EVERY_MS = 1_000
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * The server's certificate from files, which are read again when they change; connections that are open live on. What is wrong leaves
 * the last good one in force, and is said in the log and by `tls_rotations_failed_total`.
 */
export class IdentityFiles extends ServerCertificates {
  readonly #files: IdentityFileNames
  readonly #environment: IdentityEnvironment
  readonly #rotations: Metric
  readonly #failures: Metric
  #current: Material
  /** Of what was read last, good or not. */
  #stamp: string
  #timer: Timer | undefined

  /** Throws when a file cannot be read, or the files do not go together. */
  constructor(files: IdentityFileNames, environment: IdentityEnvironment) {
    super()
    this.#files = files
    this.#environment = environment
    this.#rotations = environment.metrics.counter('tls_rotations_total')
    this.#failures = environment.metrics.counter('tls_rotations_failed_total')
    // The stamp first: what changes meanwhile is read once more.
    this.#stamp = stampOf(files)
    this.#current = read(files)
    this.#look()
  }

  /** What gRPC's server listens with. */
  credentials(): ServerCredentials {
    const roots = this.#files.clientCaFile === undefined ? null : this
    // The first of its parameters is the server's own, whatever its declaration calls it.
    const create = experimental.createCertificateProviderServerCredentials as unknown as (
      identity: Provider,
      roots: Provider | null,
      requireClientCertificate: boolean,
    ) => ServerCredentials
    return create(this, roots, roots !== null)
  }

  protected identity(): ServerCertificate {
    return this.#current
  }

  protected roots(): Buffer {
    return this.#current.roots ?? NO_ROOTS
  }

  close(): void {
    this.#timer?.cancel()
  }

  #look(): void {
    this.#timer = this.#environment.clock.setTimer(LOOK_EVERY_MS, () => {
      const stamp = stampOf(this.#files)
      if (stamp !== this.#stamp) {
        this.#stamp = stamp
        this.#readAgain()
      }
      this.#look()
    })
  }

  #readAgain(): void {
    const { log } = this.#environment
    const { certFile } = this.#files
    try {
      this.#current = read(this.#files)
    } catch (thrown) {
      this.#failures.inc()
      log.warning('the changed certificate is wrong; the last good one serves', {
        file: certFile,
        error: errorText(thrown),
      })
      return
    }
    this.tellRoots()
    this.tellIdentity()
    this.#rotations.inc()
    log.info('the certificate has changed', { file: certFile })
  }
}

const NO_ROOTS = Buffer.alloc(0)

function read({ certFile, keyFile, clientCaFile }: IdentityFileNames): Material {
  const certificate = readFileSync(certFile)
  const privateKey = readFileSync(keyFile)
  const roots = clientCaFile === undefined ? undefined : readFileSync(clientCaFile)
  try {
    createSecureContext({ cert: certificate, key: privateKey })
  } catch (thrown) {
    throw new Error(`${certFile} and ${keyFile} are no certificate with its key: ${errorText(thrown)}`)
  }
  if (roots !== undefined && !hasCertificates(roots.toString('latin1'))) {
    throw new Error(`${clientCaFile} holds no certificates in PEM`)
  }
  return { certificate, privateKey, roots }
}

/** A root that cannot be read would be passed over in silence. */
function hasCertificates(pem: string): boolean {
  const found = pem.match(CERTIFICATE) ?? []
  try {
    for (const one of found) new X509Certificate(one)
  } catch {
    return false
  }
  return found.length > 0
}

/** Tells two states of the files apart: others in their place, by a rename or behind a symbolic link, and other content. */
function stampOf({ certFile, keyFile, clientCaFile = '' }: IdentityFileNames): string {
  return [certFile, keyFile, clientCaFile].map(one).join('\n')
}

function one(file: string): string {
  let stats: BigIntStats | undefined
  try {
    stats = file === '' ? undefined : statSync(file, { bigint: true, throwIfNoEntry: false })
  } catch {
    // What is wrong with it is said when it is read.
  }
  return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`
}
