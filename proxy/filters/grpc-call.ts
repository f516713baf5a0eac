import { FRAME_HEADER_BYTES, GRPC_FIELDS, grpcFrame, grpcStatusText } from '../stream/grpc-message.ts'
import type { SideRequest, SideResult } from '../stream/side-call.ts'
import type { GrpcServicePlan } from './ext-authz/grpc-service.ts'

/** An answer, its body included, is not read further. */
export const MAX_ANSWER_BYTES = 1024 * 1024

/** One message to a method (`/service/Method`), as one call over HTTP/2. `fields` go beside the service's own metadata. */
export function grpcCall(
  service: GrpcServicePlan,
  path: string,
  message: Uint8Array,
  fields: readonly (readonly [name: string, value: string])[] = [],
): SideRequest {
  return {
    cluster: service.cluster,
    method: 'POST',
    authority: service.authority,
    path,
    headers: [
      ...GRPC_FIELDS,
      ...(service.timeoutMs > 0 ? [['grpc-timeout', `${Math.ceil(service.timeoutMs)}m`] as const] : []),
      ...service.metadata,
      ...fields,
    ],
    body: grpcFrame(message),
    timeoutMs: service.timeoutMs,
    maxResponseBytes: MAX_ANSWER_BYTES,
  }
}

/** The message of an answer; undefined for everything that is none. */
export function grpcMessage(result: SideResult): Uint8Array | undefined {
  if (result.kind === 'failed' || result.status !== 200) return undefined
  const { body } = result
  if (grpcStatusText(result) !== '0' || body.length < FRAME_HEADER_BYTES || body[0] !== 0) return undefined
  if (body.length !== FRAME_HEADER_BYTES + body.readUInt32BE(1)) return undefined
  return body.subarray(FRAME_HEADER_BYTES)
}
