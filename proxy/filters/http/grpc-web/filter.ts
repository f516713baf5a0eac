import { FRAMING, type RequestHead } from '../../../stream/message.ts'
import type { HttpFilter } from '../filter.ts'
import { compileGrpcWeb } from './config.ts'

/**
 * gRPC-Web (envoy.filters.http.grpc_web): a call from a browser becomes a gRPC call, and its answer what a browser can
 * read. This half knows such calls and makes their heads those of gRPC; the stream translates the bodies (body.ts).
 */
export const grpcWeb: HttpFilter<undefined> = {
  name: 'envoy.filters.http.grpc_web',
  typeName: 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb',
  routeTypeName: 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb',
  compile: compileGrpcWeb,
  compileForRoute: compileGrpcWeb,

  judge(_config, { head }, decision) {
    const type = head.get('content-type')
    if (type === undefined || !type.startsWith(PREFIX)) return false
    // What passes in a tunnel is nobody's to translate.
    if (head.method === 'CONNECT' || head.upgrade !== '') return false
    const isText = type.startsWith(`${PREFIX}-text`)
    const message = type.slice(isText ? PREFIX.length + 5 : PREFIX.length)
    // `application/grpc-web`, perhaps `-text`, then nothing or `+proto` and the like.
    if (message !== '' && !message.startsWith('+')) return false
    decision.grpcWeb = {
      isTextRequest: isText,
      isTextResponse: head.get('accept')?.includes(`${PREFIX}-text`) ?? isText,
      message,
    }
    toGrpc(head, message)
    return false
  },
}

const PREFIX = 'application/grpc-web'

function toGrpc(head: RequestHead, message: string): void {
  head.set('content-type', `application/grpc${message}`)
  head.set('te', 'trailers')
  if (!head.has('grpc-accept-encoding')) head.append('grpc-accept-encoding', 'identity')
  // What is decoded has another length.
  head.remove('content-length')
  if (head.framing === FRAMING.length) head.framing = FRAMING.chunked
}
