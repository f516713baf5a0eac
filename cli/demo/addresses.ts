import { createServer, type Server } from 'node:net'
import { type Random, randomInt } from '../../lib/random.ts'
import { CliError, EXIT } from '../exit.ts'

/** The first three numbers of 256 loopback addresses, such as `127.41.7`. */
export type Block = string

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** `HOST:PORT`. Throws CliError. */
export function parseEndpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(':')
  const port = Number(text.slice(colon + 1))
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new CliError(`${text} is not HOST:PORT`, EXIT.badInput)
  }
  return { host: text.slice(0, colon), port }
}

/** Free, taken by someone, or no address of this machine. */
export type Occupancy = 'free' | 'taken' | 'absent'

const TRIES = 20

/** A block in the middle of 127/8, away from 127.0 and 127.255, which others may use. */
export function randomBlock(random: Random): Block {
  return `127.${1 + randomInt(random, 253)}.${1 + randomInt(random, 253)}`
}

/** A random block in which every one of these endpoints is free. */
export async function findFreeBlock(
  random: Random,
  endpointsOf: (block: Block) => readonly Endpoint[],
  occupancy: (endpoint: Endpoint) => Promise<Occupancy>,
): Promise<Block> {
  for (let i = 0; i < TRIES; i++) {
    const block = randomBlock(random)
    const found = await Promise.all(endpointsOf(block).map(occupancy))
    if (found.includes('absent')) {
      throw new CliError(
        `this machine does not take connections on ${block}.1: the demo gives each workload a loopback address of its ` +
          'own, which Linux has without being asked; elsewhere, run it in a Linux virtual machine or container',
        EXIT.badInput,
      )
    }
    if (!found.includes('taken')) return block
  }
  throw new CliError(`no free block of loopback addresses in ${TRIES} tries`, EXIT.internal)
}

/** Listens for a moment to see whether one could. */
export async function probe(endpoint: Endpoint): Promise<Occupancy> {
  const server = await hold(endpoint)
  if (typeof server === 'string') return server
  await new Promise((resolve) => server.close(resolve))
  return 'free'
}

/** Listens, or says why it cannot be done. */
function hold({ host, port }: Endpoint): Promise<Server | 'taken' | 'absent'> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRNOTAVAIL' ? 'absent' : 'taken'))
    server.listen(port, host, () => resolve(server.unref()))
  })
}

const HOST = '127.0.0.1'
/** Whoever listens here has the preferred port: two demos that look at the same moment do not both take it. */
const LOCK_HOST = '127.255.255.254'

/** The port of 127.0.0.1 that people will open: the preferred one if it can be had, else any free one. */
export async function choosePublicPort(preferred: number): Promise<number> {
  if ((await probe({ host: HOST, port: preferred })) === 'free') {
    const lock = await hold({ host: LOCK_HOST, port: preferred })
    if (typeof lock !== 'string') return preferred
  }
  const server = await hold({ host: HOST, port: 0 })
  if (typeof server === 'string') throw new CliError('no free port on 127.0.0.1', EXIT.internal)
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : preferred
}
