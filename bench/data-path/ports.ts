import { createServer } from 'node:net'

/** Below the ports that the system hands to clients, so that no connection of a load tool takes one before its server does. */
const FIRST = 18_300
const LAST = 19_299

let next = FIRST + (process.pid % 50) * 20

/** A port of the loopback that nothing listens on, not given before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries <= LAST - FIRST; tries++) {
    const port = next
    next = next === LAST ? FIRST : next + 1
    if (await canListen(port)) return port
  }
  throw new Error(`no free port from ${FIRST} to ${LAST}`)
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
