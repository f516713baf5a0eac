import type { ResponseHead } from '../../stream/message.ts'

/** gRPC to HTTP status, by the number of the former (envoy: Grpc::Utility::grpcToHttpStatus). */
const OF_GRPC = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]
const NO_STATUS = 500

/**
 * The status that an answer counts as: of a gRPC call whose outcome stands in the head, that outcome. One that comes as a
 * trailer is not looked at, as in Envoy.
 */
export function statusOf(head: ResponseHead): number {
  const at = head.find('grpc-status')
  if (at < 0) return head.status
  const type = head.find('content-type')
  return type >= 0 && head.value(type).startsWith('application/grpc') ? ofGrpc(head.value(at)) : head.status
}

function ofGrpc(text: string): number {
  return /^\d{1,2}$/.test(text) ? (OF_GRPC[Number(text)] ?? NO_STATUS) : NO_STATUS
}
