import { connect } from 'node:net'

/** An answer as it came over the wire. Header names are lower-case; values of one name are joined with a comma. */
export interface RawResponse {
  status: number
  headers: Record<string, string>
  body: string
}

const TIMEOUT_MS = 20_000

/** Sends exactly these lines and reads one response until the server closes. `Connection: close` must be among them. `localAddress`: whence. */
export function sendRaw(host: string, port: number, request: string, localAddress?: string): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const from = localAddress === undefined ? {} : { localAddress }
    const socket = connect({ port, host, ...from }, () => socket.write(request, 'latin1'))
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no answer from ${host}:${port} in ${TIMEOUT_MS} ms`)))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => {
      const text = Buffer.concat(chunks).toString('latin1')
      if (text === '') reject(new Error(`${host}:${port} closed without an answer`))
      else resolve(parseResponse(text))
    })
  })
}

function parseResponse(text: string): RawResponse {
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`
  }
  const raw = text.slice(end + 4)
  const body = headers['transfer-encoding'] === 'chunked' ? dechunk(raw) : raw
  return { status: Number(statusLine.split(' ')[1]), headers, body }
}

function dechunk(raw: string): string {
  let body = ''
  for (let at = 0; ; ) {
    const lineEnd = raw.indexOf('\r\n', at)
    const size = Number.parseInt(raw.slice(at, lineEnd), 16)
    if (!(size > 0)) return body
    body += raw.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 2 + size + 2
  }
}
