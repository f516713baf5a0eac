import { fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  type CheckRequest,
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
} from '../../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import type { SideRequest, SideResult } from '../../stream/side-call.ts'
import type { GrpcServicePlan } from './grpc-service.ts'

/** An answer, its body included, is not read further. */
export const MAX_ANSWER_BYTES = 1024 * 1024
const FRAME_HEADER_BYTES = 5

/** envoy.service.auth.v3.Authorization/Check, as one call over HTTP/2. */
export function checkCall(service: GrpcServicePlan, request: CheckRequest): SideRequest {
  const message = toBinary(CheckRequestSchema, request)
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, FRAME_HEADER_BYTES)
  return {
    cluster: service.cluster,
    method: 'POST',
    authority: service.authority,
    path: '/envoy.service.auth.v3.Authorization/Check',
    headers: [
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ...(service.timeoutMs > 0 ? [['grpc-timeout', `${Math.ceil(service.timeoutMs)}m`] as const] : []),
      ...service.metadata,
    ],
    body: frame,
    timeoutMs: service.timeoutMs,
    maxResponseBytes: MAX_ANSWER_BYTES,
  }
}

/** undefined for everything that is no answer. */
export function readCheckResponse(result: SideResult): CheckResponse | undefined {
  if (result.kind === 'failed' || result.status !== 200) return undefined
  const status = /(?:^|\n)grpc-status: *(\d+)/i.exec(result.trailers)?.[1] ?? result.fields.get('grpc-status')
  const { body } = result
  if (status !== '0' || body.length < FRAME_HEADER_BYTES || body[0] !== 0) return undefined
  if (body.length !== FRAME_HEADER_BYTES + body.readUInt32BE(1)) return undefined
  try {
    return fromBinary(CheckResponseSchema, body.subarray(FRAME_HEADER_BYTES))
  } catch {
    return undefined
  }
}

export function isAllowed({ status }: CheckResponse): boolean {
  return (status?.code ?? 0) === 0
}
