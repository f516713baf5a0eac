import { createServer } from 'node:net'
import { expect, test } from '@jest/globals'
import { seededRandom } from '../../lib/random.ts'
import { CliError } from '../exit.ts'
import { choosePublicPort, type Endpoint, findFreeBlock, type Occupancy, probe, randomBlock } from './addresses.ts'

const endpointsOf = (block: string) => [
  { host: `${block}.1`, port: 15010 },
  { host: `${block}.2`, port: 15000 },
]

test('blocks are of 127/8, without its first and last', () => {
  const random = seededRandom(1)
  for (let i = 0; i < 1000; i++) {
    const [first, second, third] = randomBlock(random).split('.').map(Number) as [number, number, number]
    expect(first).toBe(127)
    for (const number of [second, third]) {
      expect(number).toBeGreaterThanOrEqual(1)
      expect(number).toBeLessThanOrEqual(253)
    }
  }
  expect(randomBlock({ next: () => 0 })).toBe('127.1.1')
  expect(randomBlock({ next: () => 0.9999999 })).toBe('127.253.253')
})

test('a block with one endpoint taken is passed over', async () => {
  const asked: Endpoint[] = []
  const block = await findFreeBlock(seededRandom(7), endpointsOf, async (endpoint): Promise<Occupancy> => {
    asked.push(endpoint)
    return asked.length === 2 ? 'taken' : 'free'
  })
  expect(asked).toHaveLength(4)
  expect(asked[2]?.host).toBe(`${block}.1`)
  expect(asked[0]?.host).not.toBe(`${block}.1`)
})

test('a machine without the addresses is told so with exit code 65', async () => {
  const failure = findFreeBlock(seededRandom(7), endpointsOf, async () => 'absent')
  await expect(failure).rejects.toMatchObject({ exitCode: 65, message: expect.stringContaining('loopback address') })
})

test('when nothing is ever free it gives up', async () => {
  const failure = findFreeBlock(seededRandom(7), endpointsOf, async () => 'taken')
  await expect(failure).rejects.toBeInstanceOf(CliError)
})

test('a port on which someone listens is taken, another address is absent', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  expect(await probe({ host: '127.0.0.1', port })).toBe('taken')
  expect(await choosePublicPort(port)).not.toBe(port)
  await new Promise((resolve) => server.close(resolve))
  expect(await probe({ host: '127.0.0.1', port })).toBe('free')
  // Of the documentation's addresses (RFC 5737), which no machine has.
  expect(await probe({ host: '192.0.2.1', port })).toBe('absent')
})

test('the preferred public port is given to one only', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  expect(await choosePublicPort(port)).toBe(port)
  expect(await choosePublicPort(port)).not.toBe(port)
})
