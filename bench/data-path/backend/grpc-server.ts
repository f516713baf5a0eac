import { createServer } from 'node:http2'

/*
 * A unary gRPC server on node:http2 as a process of its own: whatever the call, it reads the request to its end and answers a
 * message of 64 bytes with trailers (gRPC over HTTP/2: PROTOCOL-HTTP2.md).
 *
 *   node grpc-server.js PORT
 */

const MESSAGE_BYTES = 64

const message = Buffer.alloc(5 + MESSAGE_BYTES, 'x')
message.writeUInt8(0, 0)
message.writeUInt32BE(MESSAGE_BYTES, 1)

createServer()
  .on('stream', (stream) => {
    stream.on('error', () => {})
    stream.on('end', () => {
      // A load tool that is done resets what is under way.
      if (stream.destroyed) return
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => {
        if (!stream.destroyed) stream.sendTrailers({ 'grpc-status': '0' })
      })
      stream.end(message)
    })
    stream.resume()
  })
  .listen(Number(process.argv[2]), '127.0.0.1')
