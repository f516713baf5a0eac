import type { ResponseFlag } from '../../api/response-flags.ts'
import { answer, type Decision } from '../decide/decision.ts'
import { changeResponse, type FieldChange } from '../decide/field-change.ts'
import type { PoolFailure, ResetReason } from '../upstream/attempt.ts'
import { HeaderBlock } from './header-block.ts'
import type { ManagerStats } from './manager-stats.ts'

/** HTTP to gRPC status (envoy: HTTP to gRPC status code mapping for local replies). */
const GRPC_STATUS: Record<number, number> = { 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14 }
const GRPC_UNKNOWN = 2

const NO_CHANGES: readonly FieldChange[] = []

export interface LocalReply {
  status: number
  fields: HeaderBlock
  body: Buffer | undefined
}

/**
 * The one place that turns a decision or a failure into an answer of our own. A gRPC call gets status 200 and the
 * outcome in grpc-status, as trailers-only.
 */
export function localReply(decision: Decision, isGrpcCall: boolean): LocalReply {
  const fields = new HeaderBlock()
  if (decision.location !== '') fields.append('location', decision.location)
  for (const change of decision.responseHeaders ?? NO_CHANGES) changeResponse(fields, change)
  if (decision.flag === 'UO' || decision.flag === 'OM') fields.append('x-envoy-overloaded', 'true')
  const isOurs = decision.outcome === 'local_reply' && decision.status >= 400
  if (decision.grpcStatus !== undefined || (isGrpcCall && isOurs)) return grpcReply(decision, fields)
  const body = decision.body !== undefined && decision.body.length > 0 ? decision.body : undefined
  // Who has answered in our place may have said of what type. Nothing is of no type.
  if (body === undefined) fields.remove('content-type')
  else if (!fields.has('content-type')) fields.append('content-type', 'text/plain')
  fields.append('content-length', String(body?.length ?? 0))
  return { status: decision.status, fields, body }
}

function grpcReply(decision: Decision, fields: HeaderBlock): LocalReply {
  const code = decision.grpcStatus ?? GRPC_STATUS[decision.status] ?? GRPC_UNKNOWN
  fields.set('content-type', 'application/grpc')
  fields.append('grpc-status', String(code))
  const message = decision.body?.toString('utf8') ?? ''
  if (message !== '') fields.append('grpc-message', percentEncode(message))
  return { status: 200, fields, body: undefined }
}

/** grpc-message's encoding (gRPC over HTTP/2, "Percent-Encoded"). */
function percentEncode(text: string): string {
  let out = ''
  for (const byte of Buffer.from(text, 'utf8')) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    out += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return out
}

/** Bodies of failures, in Envoy's words: people search for them. */
export const REPLY_BODY = {
  noHealthyUpstream: Buffer.from('no healthy upstream'),
  timeout: Buffer.from('upstream request timeout'),
  badBase64: Buffer.from('Bad gRPC-web request, invalid base64 data.'),
  overloaded: Buffer.from('envoy overloaded'),
  idleTimeout: Buffer.from('stream timeout'),
  perTryTimeout: Buffer.from('upstream request timeout'),
  retryOverflow: Buffer.from('exceeded request buffer limit while retrying upstream'),
  maxDuration: Buffer.from('downstream duration timeout'),
  internalError: Buffer.from('internal error'),
  reset: (reason: string, isRetried = false) =>
    Buffer.from(
      `upstream connect error or disconnect/reset before headers. ${isRetried ? 'retried and the latest ' : ''}reset reason: ${reason}`,
    ),
} as const

/** Too much is under way already. */
export function shed(decision: Decision, stats: ManagerStats): void {
  stats.downstream_rq_overload_close.inc()
  answer(decision, 503, 'overload', 'OM')
  decision.body = REPLY_BODY.overloaded
}

export const BEFORE_RESPONSE = 'upstream_reset_before_response_started'

/** What the client is told of a try that gave no response, and that is not repeated. */
export function failureReply(
  failure: PoolFailure | ResetReason,
  detail: string,
  isRetried = false,
): { status: number; detail: string; flag: ResponseFlag; body: Buffer } {
  switch (failure) {
    case 'connect_timeout':
      return {
        status: 503,
        detail: `${BEFORE_RESPONSE}{connection_timeout}`,
        flag: 'UF',
        body: REPLY_BODY.reset('connection timeout', isRetried),
      }
    case 'connect_failure': {
      const reason = `connection failure, transport failure reason: ${detail}`
      return { status: 503, detail: BEFORE_RESPONSE, flag: 'UF', body: REPLY_BODY.reset(reason, isRetried) }
    }
    case 'protocol_error': {
      const body = REPLY_BODY.reset('protocol error', isRetried)
      return { status: 502, detail: `${BEFORE_RESPONSE}{protocol_error}`, flag: 'UPE', body }
    }
    default:
      return {
        status: 503,
        detail: `${BEFORE_RESPONSE}{connection_termination}`,
        flag: 'UC',
        body: REPLY_BODY.reset('connection termination', isRetried),
      }
  }
}
