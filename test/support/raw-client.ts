import { connect, type Socket } from 'node:net'

const PATIENCE_MS = Number(process.env.LATEEN_TEST_PATIENCE_MS || 10_000)

export interface Heard {
  /** All that came before the other side closed, or until it was enough. */
  text: string
  /** The other side ended or cut the connection by itself. */
  isClosed: boolean
}

/**
 * Writes these pieces, each in a turn of its own, and listens until the other side closes, or until `isEnough` says so
 * of what came. Rejects when neither happens in time.
 */
export function converse(
  port: number,
  pieces: readonly (string | Buffer)[],
  isEnough: (text: string) => boolean = () => false,
): Promise<Heard> {
  return new Promise((resolve, reject) => {
    let text = ''
    let next = 0
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => writeNext())
    const writeNext = () => {
      if (next === pieces.length || socket.destroyed) return
      const piece = pieces[next++] as string | Buffer
      socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece, () => setImmediate(writeNext))
    }
    const done = (isClosed: boolean) => {
      socket.destroy()
      resolve({ text, isClosed })
    }
    socket.setTimeout(PATIENCE_MS, () => {
      socket.destroy()
      reject(new Error(`nothing more came, and no close: ${JSON.stringify(text.slice(0, 500))}`))
    })
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (isEnough(text)) done(false)
    })
    socket.on('end', () => done(true))
    socket.on('error', () => done(true))
    socket.on('close', () => done(true))
  })
}

/** The status codes of the answers in what came, in order. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.[01] (\d{3})[ \r]/g)].map((found) => Number(found[1]))
}

/** A connection to write to by hand. */
export function dial(port: number): Promise<{ socket: Socket; heard: { text: string } }> {
  return new Promise((resolve, reject) => {
    const heard = { text: '' }
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve({ socket, heard }))
    socket.on('data', (chunk: Buffer) => {
      heard.text += chunk.toString('latin1')
    })
    socket.on('error', reject)
  })
}
