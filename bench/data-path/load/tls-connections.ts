import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'

/*
 * A load of new TLS connections as a process of its own: each carries one request. Prints one line of JSON, a TlsConnectionsReport.
 *
 *   node tls-connections.js PORT CONCURRENCY SECONDS full|resumed CA-FILE CERT-FILE KEY-FILE
 */

export interface TlsConnectionsReport {
  readonly requests: number
  readonly requestsPerSecond: number
}

const [port, concurrency, seconds] = process.argv.slice(2, 5).map(Number) as [number, number, number]
const [mode, caFile = '', certFile = '', keyFile = ''] = process.argv.slice(5)
const isResuming = mode === 'resumed'
const secrets = { ca: readFileSync(caFile), cert: readFileSync(certFile), key: readFileSync(keyFile) }
const request = `GET / HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n\r\n`

let requests = 0
const startMs = performance.now()
const endMs = startMs + seconds * 1000

/** One connection after the other; each resumes the session of the one before. */
function next(session: Buffer | undefined): void {
  if (performance.now() >= endMs) {
    if (--running === 0) report()
    return
  }
  let given: Buffer | undefined
  let text = ''
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ...secrets, ...(session && { session }) })
  socket.on('session', (one: Buffer) => {
    given = one
  })
  socket.on('secureConnect', () => {
    if (socket.isSessionReused() !== (session !== undefined)) fail(`a session was ${session ? 'not ' : ''}resumed`)
    socket.write(request)
  })
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', (error) => fail(error.message))
  socket.on('close', () => {
    if (!text.startsWith('HTTP/1.1 200')) fail(`answered by ${JSON.stringify(text.slice(0, 80))}`)
    requests++
    next(isResuming ? (given ?? session) : undefined)
  })
}

function report(): void {
  const result: TlsConnectionsReport = {
    requests,
    requestsPerSecond: (requests * 1000) / (performance.now() - startMs),
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

function fail(reason: string): never {
  process.stderr.write(`tls connections: ${reason}\n`)
  process.exit(1)
}

let running = concurrency
for (let i = 0; i < concurrency; i++) next(undefined)
