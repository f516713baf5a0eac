import { isIP } from 'node:net'
import { create } from '@bufbuild/protobuf'
import {
  experimental,
  status as GrpcStatus,
  Metadata,
  Server,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js'
import {
  type IstioCertificateRequest,
  type IstioCertificateResponse,
  IstioCertificateResponseSchema,
  IstioCertificateService,
} from '../../api/gen/istio/v1/auth/ca_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'
import { formatSpiffeId, type SpiffeId } from '../../api/spiffe.ts'
import type { Clock } from '../../lib/clock.ts'
import { errorText, MeshError } from '../../lib/errors.ts'
import { ipBytes } from '../../lib/ip.ts'
import type { Logger } from '../../lib/log.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import type { CertificateName } from '../../lib/x509/certificate.ts'
import type { CertificateAuthority } from './authority.ts'
import { type CallerCheck, identifyCaller } from './callers.ts'
import { ServerIdentity } from './server-identity.ts'

/** A request is a signing request and little more. */
const MAX_MESSAGE_BYTES = 64 * 1024
const MAX_TOKEN_CHARS = 16 * 1024
const BEARER = /^Bearer (\S+)$/i

export interface CaServerOptions {
  readonly authority: CertificateAuthority
  readonly callers: readonly CallerCheck[]
  /** What clients call this server by: names and addresses. */
  readonly serverNames: readonly string[]
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: MetricStore
}

/** Istio's certificate service, over TLS only: a token in the clear would be anybody's. */
export class CaServer {
  readonly #options: CaServerOptions
  readonly #identity: ServerIdentity
  readonly #server: Server
  readonly #issued
  readonly #refused

  /** Throws CA_EXPIRED. */
  constructor(options: CaServerOptions) {
    const { authority, clock, log, metrics, serverNames } = options
    this.#options = options
    this.#identity = new ServerIdentity(authority, serverNames.map(nameOf), clock, log)
    this.#issued = metrics.counter('ca.certificates_issued')
    this.#refused = metrics.counter('ca.requests_refused')
    this.#server = new Server({ 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES })
    this.#server.addService(serviceDefinition(IstioCertificateService), {
      createCertificate: (
        call: ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
        callback: sendUnaryData<IstioCertificateResponse>,
      ) => void this.#answer(call, callback),
    })
  }

  /** Resolves with the port. */
  listen(address: string): Promise<number> {
    // The first of its parameters is the server's own, whatever its declaration calls it.
    const credentials = experimental.createCertificateProviderServerCredentials(this.#identity, null, false)
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, credentials, (error, port) => (error === null ? resolve(port) : reject(error)))
    })
  }

  /** PEM, as peers are to have them. */
  get roots(): string {
    return this.#options.authority.roots
  }

  close(): void {
    this.#identity.close()
    this.#server.forceShutdown()
  }

  async #answer(
    call: ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
    callback: sendUnaryData<IstioCertificateResponse>,
  ): Promise<void> {
    let identity: SpiffeId | undefined
    try {
      identity = await this.#caller(call.metadata)
      const { csr, validityDuration } = call.request
      const ttlMs = Number(validityDuration) * 1000
      const certChain = [...this.#options.authority.signWorkload(csr, identity, ttlMs)]
      this.#issued.inc()
      callback(null, create(IstioCertificateResponseSchema, { certChain }))
    } catch (thrown) {
      this.#refused.inc()
      const code = thrown instanceof MeshError ? (STATUS_OF[thrown.code] ?? GrpcStatus.INTERNAL) : GrpcStatus.INTERNAL
      const who = identity === undefined ? call.getPeer() : formatSpiffeId(identity)
      this.#options.log.warning('no certificate given', { to: who, reason: errorText(thrown) })
      // What is not the caller's doing is not the caller's to read.
      const details = code === GrpcStatus.INTERNAL ? 'internal error' : errorText(thrown)
      callback({ code, details, metadata: new Metadata() })
    }
  }

  async #caller(metadata: Metadata): Promise<SpiffeId> {
    const [header, ...more] = metadata.get('authorization')
    const token = BEARER.exec(String(header ?? ''))?.[1]
    if (token === undefined || more.length > 0 || token.length > MAX_TOKEN_CHARS)
      throw unknown('a bearer token is needed')
    const identity = await identifyCaller(this.#options.callers, token)
    if (identity === undefined) throw unknown('the token is nobody’s that is known here')
    return identity
  }
}

const STATUS_OF: Readonly<Record<string, GrpcStatus>> = {
  CALLER_UNKNOWN: GrpcStatus.UNAUTHENTICATED,
  TOKEN_REFUSED: GrpcStatus.UNAUTHENTICATED,
  CSR_INVALID: GrpcStatus.INVALID_ARGUMENT,
  TTL_REFUSED: GrpcStatus.INVALID_ARGUMENT,
  CA_EXPIRED: GrpcStatus.UNAVAILABLE,
}

function unknown(reason: string): MeshError {
  return new MeshError('CALLER_UNKNOWN', reason, { source: 'downstream' })
}

function nameOf(text: string): CertificateName {
  return isIP(text) === 0 ? { type: 'dns', value: text } : { type: 'ip', value: ipBytes(text) }
}
