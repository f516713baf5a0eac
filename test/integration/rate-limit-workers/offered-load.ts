import { connect, type Socket } from 'node:net'

const CONNECTIONS = 20
const TICK_MS = 10
const REQUEST = 'GET / HTTP/1.1\r\nHost: app\r\n\r\n'

export interface Offered {
  readonly passed: number
  readonly refused: number
  /** From the first request to the last. */
  readonly elapsedMs: number
}

/** Sends so many requests a second over kept connections, whatever becomes of them. */
export async function offer(host: string, port: number, perSecond: number, durationMs: number): Promise<Offered> {
  const counts = { passed: 0, refused: 0 }
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => open(host, port, counts)))
  const startMs = performance.now()
  let sent = 0
  let lastMs = startMs
  while (lastMs - startMs < durationMs) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
    lastMs = performance.now()
    const due = Math.floor((Math.min(lastMs - startMs, durationMs) * perSecond) / 1000)
    for (; sent < due; sent++) sockets[sent % CONNECTIONS]?.write(REQUEST)
  }
  const deadlineMs = performance.now() + 10_000
  while (counts.passed + counts.refused < sent && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
  for (const socket of sockets) socket.destroy()
  return { ...counts, elapsedMs: lastMs - startMs }
}

function open(host: string, port: number, counts: { passed: number; refused: number }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => resolve(socket))
    socket.on('error', reject)
    let rest = ''
    socket.on('data', (chunk) => {
      const text = rest + chunk.toString('latin1')
      const lines = text.split('\r\n')
      rest = lines.pop() as string
      for (const line of lines) {
        // What follows a body stands in the line of the next status.
        const status = /HTTP\/1\.1 (\d+) /.exec(line)?.[1]
        if (status === '200') counts.passed++
        else if (status !== undefined) counts.refused++
      }
    })
  })
}
