import { createServer } from 'node:http2'

/** A gRPC server that takes whatever it is sent and answers an empty message: where logs and spans go in benches. */
const EMPTY_MESSAGE = Buffer.alloc(5)
/** As servers in Java have, and those in Go come to. With node's 64 KiB a batch waits for its second half to be taken. */
const WINDOW_BYTES = 1024 * 1024

const server = createServer({ settings: { initialWindowSize: WINDOW_BYTES } })
server.on('session', (session) => session.setLocalWindowSize(WINDOW_BYTES))
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
