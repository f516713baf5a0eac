import type { SideRequest, SideResult } from '../stream/side-call.ts'
import type { GrpcServicePlan } from './ext-authz/grpc-service.ts'

/** An answer, its body included, is not read further. */
export const MAX_ANSWER_BYTES = 1024 * 1024
const FRAME_HEADER_BYTES = 5

/** One message to a method (`/service/Method`), as one call over HTTP/2. `fields` go beside the service's own metadata. */
export function grpcCall(
  service: GrpcServicePlan,
  path: string,
  message: Uint8Array,
  fields: readonly (readonly [name: string, value: string])[] = [],
): SideRequest {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, FRAME_HEADER_BYTES)
  return {
    cluster: service.cluster,
    method: 'POST',
    authority: service.authority,
    path,
    headers: [
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ...(service.timeoutMs > 0 ? [['grpc-timeout', `${Math.ceil(service.timeoutMs)}m`] as const] : []),
      ...service.metadata,
      ...fields,
    ],
    body: frame,
    timeoutMs: service.timeoutMs,
    maxResponseBytes: MAX_ANSWER_BYTES,
  }
}

/** The message of an answer; undefined for everything that is none. */
export function grpcMessage(result: SideResult): Uint8Array | undefined {
  if (result.kind === 'failed' || result.status !== 200) return undefined
  const status = /(?:^|\n)grpc-status: *(\d+)/i.exec(result.trailers)?.[1] ?? result.fields.get('grpc-status')
  const { body } = result
  if (status !== '0' || body.length < FRAME_HEADER_BYTES || body[0] !== 0) return undefined
  if (body.length !== FRAME_HEADER_BYTES + body.readUInt32BE(1)) return undefined
  return body.subarray(FRAME_HEADER_BYTES)
}
