import { createServer } from 'node:http2'

/** A gRPC server that takes whatever it is sent and answers an empty message: where logs and spans go in benches. */
const EMPTY_MESSAGE = Buffer.alloc(5)

const server = createServer()
server.on('stream', (stream) => {
  stream.on('error', () => {})
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(EMPTY_MESSAGE)
  })
  stream.resume()
})
server.listen(Number(process.argv[2]), '127.0.0.1')
