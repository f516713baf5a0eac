import { request as httpRequest } from 'node:http'
import { connect } from 'node:http2'
import { request as httpsRequest } from 'node:https'

/*
 * One request through each subject before it is measured: a load tool looks at status codes, and would not notice a body
 * or trailers that are missing.
 */

/** Rejects unless the answer is a 200 with so many bytes. */
export function probeHttp1(
  port: number,
  {
    scheme = 'http',
    bodyBytes,
    headers,
    client,
  }: {
    scheme?: 'http' | 'https'
    bodyBytes: number
    headers?: readonly string[]
    /** What the client shows, PEM. */
    client?: { cert: string; key: string }
  },
): Promise<void> {
  const fields = Object.fromEntries((headers ?? []).map((header) => header.split(': ')))
  const send = scheme === 'http' ? httpRequest : httpsRequest
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', agent: false, rejectUnauthorized: false, headers: fields, ...client }
    const request = send(options, (response) => {
      let received = 0
      response.on('data', (chunk: Buffer) => {
        received += chunk.length
      })
      response.on('end', () => {
        if (response.statusCode === 200 && received === bodyBytes) resolve()
        else reject(new Error(`port ${port} answers ${response.statusCode} with ${received} bytes`))
      })
    })
    request.on('error', reject)
    request.end()
  })
}

/** Rejects unless the answer is a 200 and, if asked for by a gRPC body, ends with the trailer `grpc-status: 0`. */
export function probeHttp2(port: number, headers: Record<string, string> = {}, grpcBody?: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    const stream = session.request({ ':method': grpcBody === undefined ? 'GET' : 'POST', ...headers })
    let status: number | undefined
    let grpcStatus: unknown
    stream.on('response', (fields) => {
      status = fields[':status']
    })
    stream.on('trailers', (fields) => {
      grpcStatus = fields['grpc-status']
    })
    stream.on('error', reject)
    stream.on('end', () => {
      session.destroy()
      if (status === 200 && (grpcBody === undefined || grpcStatus === '0')) resolve()
      else reject(new Error(`port ${port} answers ${status}, grpc-status ${String(grpcStatus)}`))
    })
    stream.resume()
    stream.end(grpcBody)
  })
}
