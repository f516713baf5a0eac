import type { SideResult } from './side-call.ts'

/** Before a message (grpc/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message"): that it is not compressed, and its length. */
export const FRAME_HEADER_BYTES = 5

/** What every call of gRPC says. */
export const GRPC_FIELDS = [
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
] as const

/** A message as it stands in a request's body. */
export function grpcFrame(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, FRAME_HEADER_BYTES)
  return frame
}

/** The number of an answer's status, of its trailers or of an answer that is nothing but trailers; undefined where it says none. */
export function grpcStatusText({ trailers, fields }: Extract<SideResult, { kind: 'answered' }>): string | undefined {
  return /(?:^|\n)grpc-status: *(\d+)/i.exec(trailers)?.[1] ?? fields.get('grpc-status')
}
