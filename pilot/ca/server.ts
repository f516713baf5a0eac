import { isIP } from 'node:net'
import {
  experimental,
  type Metadata,
  Server,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { Clock } from '../../lib/clock.ts'
import { ipBytes } from '../../lib/ip.ts'
import type { Logger } from '../../lib/log.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import type { CertificateName } from '../../lib/x509/certificate.ts'
import { writePieces } from '../xds/pieces.ts'
import type { CertificateAuthority } from './authority.ts'
import { CallerProof, type ProvenCaller } from './caller-proof.ts'
import type { CallerCheck } from './callers.ts'
import { CERTIFICATE_SERVICE, certificateService } from './certificate-service.ts'
import type { LeafLedger } from './leaf-ledger.ts'
import { ProvenCalls } from './proven-calls.ts'
import { ServerIdentity } from './server-identity.ts'

/** What a proxy says on one discovery stream, with thousands of names in it; only of proven callers is anything read. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
/** Of one connection: a proxy has one stream, and asks for a certificate now and then. */
const MAX_CALLS = 100
/** Who is let in must prove who it is again after so long (a tenth more or less); a stream that this ends is opened anew at once. */
const MAX_AGE_MS = 3_600_000
const MAX_AGE_GRACE_MS = 5_000

export interface CaServerOptions {
  readonly authority: CertificateAuthority
  readonly ledger: LeafLedger
  readonly callers: readonly CallerCheck[]
  readonly trustDomain: string
  /** What clients call this server by: names and addresses. */
  readonly serverNames: readonly string[]
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: MetricStore
}

/**
 * What the pilot serves over TLS, as istiod on its port 15012: Istio's certificate service, and whatever is added to it. Every
 * caller proves who it is, by a token or by a certificate of the mesh; in the clear a token would be anybody's.
 */
export class CaServer {
  readonly authority: CertificateAuthority
  readonly ledger: LeafLedger
  readonly #identity: ServerIdentity
  readonly #server: Server
  readonly #calls: ProvenCalls

  /** Throws CA_EXPIRED. */
  constructor(options: CaServerOptions) {
    const { authority, clock, log, metrics, serverNames } = options
    this.authority = authority
    this.ledger = options.ledger
    this.#identity = new ServerIdentity(authority, serverNames.map(nameOf), clock, log)
    const refused = metrics.counter('citadel_server_authentication_failure_count')
    this.#calls = new ProvenCalls(new CallerProof(options), (peer, reason) => {
      refused.inc()
      log.warning('caller refused', { peer, reason })
    })
    this.#server = new Server({
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_concurrent_streams': MAX_CALLS,
      'grpc.max_connection_age_ms': MAX_AGE_MS,
      'grpc.max_connection_age_grace_ms': MAX_AGE_GRACE_MS,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      // The first is the innermost.
      interceptors: [writePieces, this.#calls.interceptor],
    })
    const callerOf = (metadata: Metadata) => this.callerOf(metadata)
    this.#server.addService(CERTIFICATE_SERVICE, certificateService(options, callerOf))
  }

  /** Before listen(). */
  addService(service: ServiceDefinition, handlers: UntypedServiceImplementation): void {
    this.#server.addService(service, handlers)
  }

  /** Whose call it is that a handler has. */
  callerOf(metadata: Metadata): ProvenCaller {
    return this.#calls.callerOf(metadata)
  }

  /** Resolves with the port. */
  listen(address: string): Promise<number> {
    // The first of its parameters is the server's own, whatever its declaration calls it. Clients are asked for a certificate, and
    // let in without one, or with a wrong one, which then proves nothing.
    const credentials = experimental.createCertificateProviderServerCredentials(this.#identity, this.#identity, false)
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, credentials, (error, port) => (error === null ? resolve(port) : reject(error)))
    })
  }

  /** The authority has changed: so does the server's own certificate, and whose it believes. */
  renew(): void {
    this.#identity.renew()
  }

  close(): void {
    this.#identity.close()
    this.#server.forceShutdown()
  }
}

function nameOf(text: string): CertificateName {
  return isIP(text) === 0 ? { type: 'dns', value: text } : { type: 'ip', value: ipBytes(text) }
}
