import { spawn } from 'node:child_process'
import { connect as connectPlain } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'

export interface Run {
  code: number | null
  output: string
}

/** Runs a program on these bytes and gives all that it wrote. */
export function run(command: string, args: readonly string[], input = ''): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n'

export interface Answer {
  text: string
  isResumed: boolean
  alpn: string
  commonName: string
}

/** One request by node's TLS. Rejects when the server closes before it answers. */
export function ask(port: number, options: ConnectionOptions): Promise<Answer> {
  return exchange(port, options).then(({ answer }) => answer)
}

export function exchange(
  port: number,
  options: ConnectionOptions,
): Promise<{ answer: Answer; session: Buffer | undefined; socket: TLSSocket }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'a.example', ...options })
    let text = ''
    let session: Buffer | undefined
    let answer: Answer | undefined
    socket.on('session', (given) => {
      session = given
    })
    socket.on('secureConnect', () => {
      const { CN } = socket.getPeerCertificate().subject ?? {}
      answer = {
        text: '',
        isResumed: socket.isSessionReused(),
        alpn: socket.alpnProtocol || '',
        commonName: String(CN),
      }
      socket.write(REQUEST)
    })
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.on('error', reject)
    socket.on('close', () => {
      if (answer === undefined || text === '') reject(new Error('closed without an answer'))
      else resolve({ answer: { ...answer, text: text.slice(text.indexOf('\r\n\r\n') + 4) }, session, socket })
    })
  })
}

/** Sends these bytes in plain text and gives what comes back before the close. */
export function sendPlain(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connectPlain(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (chunk) => (text += chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
}
