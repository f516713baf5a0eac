import { X509Certificate } from 'node:crypto'
import { create, fromBinary } from '@bufbuild/protobuf'
import {
  status as GrpcStatus,
  Metadata,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import {
  IstioCertificateRequestSchema,
  type IstioCertificateResponse,
  IstioCertificateResponseSchema,
  IstioCertificateService,
} from '../../api/gen/istio/v1/auth/ca_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'
import { NODE_HEADER } from '../../api/node.ts'
import { formatSpiffeId, type SpiffeId } from '../../api/spiffe.ts'
import { errorText, MeshError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import { type CertificateAuthority, lifeOf } from './authority.ts'
import type { ProvenCaller } from './caller-proof.ts'
import type { LeafLedger } from './leaf-ledger.ts'

/** A request is a signing request and little more. */
const MAX_REQUEST_BYTES = 64 * 1024
const MAX_NODE_CHARS = 512

/** Left as bytes: what else is served on the same port has larger messages, and gRPC knows one bound for all. */
export const CERTIFICATE_SERVICE: ServiceDefinition = Object.fromEntries(
  Object.entries(serviceDefinition(IstioCertificateService)).map(([name, method]) => [
    name,
    { ...method, requestDeserialize: (bytes: Buffer) => bytes },
  ]),
)

interface Around {
  readonly authority: CertificateAuthority
  readonly ledger: LeafLedger
  readonly log: Logger
  readonly metrics: MetricStore
}

/** Istio's certificate service. A certificate is given for a token only: with one that was stolen another could be had for ever. */
export function certificateService(
  { authority, ledger, log, metrics }: Around,
  callerOf: (metadata: Metadata) => ProvenCaller,
): UntypedServiceImplementation {
  const asked = metrics.counter('citadel_server_csr_count')
  const issued = metrics.counter('citadel_server_success_cert_issuance_count')
  const refused = metrics.counter('citadel_server_authentication_failure_count')
  const createCertificate = (
    call: ServerUnaryCall<Buffer, IstioCertificateResponse>,
    callback: sendUnaryData<IstioCertificateResponse>,
  ) => {
    let identity: SpiffeId | undefined
    asked.inc()
    try {
      const caller = callerOf(call.metadata)
      identity = caller.identity
      if (caller.by !== 'token') throw refusal('CALLER_UNKNOWN', 'a bearer token is needed')
      if (call.request.length > MAX_REQUEST_BYTES) {
        throw refusal('REQUEST_TOO_LARGE', `the request is larger than ${MAX_REQUEST_BYTES} bytes`)
      }
      const { csr, validityDuration } = fromBinary(IstioCertificateRequestSchema, call.request)
      const certChain = [...authority.signWorkload(csr, identity, Number(validityDuration) * 1000)]
      issued.inc()
      ledger.add({
        identity: formatSpiffeId(identity),
        node: nodeOf(call.metadata),
        issuer: authority.material.certificate.fingerprint256,
        endMs: lifeOf(new X509Certificate(certChain[0] as string)).endMs,
      })
      callback(null, create(IstioCertificateResponseSchema, { certChain }))
    } catch (thrown) {
      refused.inc()
      const code = thrown instanceof MeshError ? (STATUS_OF[thrown.code] ?? GrpcStatus.INTERNAL) : GrpcStatus.INTERNAL
      const who = identity === undefined ? call.getPeer() : formatSpiffeId(identity)
      log.warning('no certificate given', { to: who, reason: errorText(thrown) })
      // What is not the caller's doing is not the caller's to read.
      const details = code === GrpcStatus.INTERNAL ? 'internal error' : errorText(thrown)
      callback({ code, details, metadata: new Metadata() })
    }
  }
  return { createCertificate }
}

/** Which of the proxies that share an identity asks: only its own certificates are told apart by it, so that it is believed. */
function nodeOf(metadata: Metadata): string {
  const node = String(metadata.get(NODE_HEADER)[0] ?? '')
  return node.length <= MAX_NODE_CHARS ? node : ''
}

const STATUS_OF: Readonly<Record<string, GrpcStatus>> = {
  CALLER_UNKNOWN: GrpcStatus.UNAUTHENTICATED,
  REQUEST_TOO_LARGE: GrpcStatus.RESOURCE_EXHAUSTED,
  CSR_INVALID: GrpcStatus.INVALID_ARGUMENT,
  TTL_REFUSED: GrpcStatus.INVALID_ARGUMENT,
  CA_EXPIRED: GrpcStatus.UNAVAILABLE,
}

function refusal(code: string, reason: string): MeshError {
  return new MeshError(code, reason, { source: 'downstream' })
}
