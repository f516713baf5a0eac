import { createServer } from 'node:net'

/**
 * Below the ports that the system hands to clients and to listeners on port 0 (ip_local_port_range, 32768 to 60999 on Linux),
 * so that no connection takes one before its server does.
 */
const FIRST = 18_000
const LAST = 29_999

// Files of tests run side by side, in processes of their own: each begins at another place.
let next = FIRST + (process.pid % 600) * 20

/** A port of the loopback that nothing listens on, not given before by this process: for who must know it before its server listens. */
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
