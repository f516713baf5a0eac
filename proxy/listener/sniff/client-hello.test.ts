import { createServer } from 'node:net'
import { connect } from 'node:tls'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { clientHello, extension, serverNameExtension } from '../testing/client-hello.ts'
import { ClientHelloReader } from './client-hello.ts'
import { SNIFF } from './result.ts'

function read(bytes: Buffer) {
  const reader = new ClientHelloReader()
  return { result: reader.read(bytes, 0, bytes.length), serverName: reader.serverName, protocols: reader.protocols }
}

test('reads the server name and the protocols', () => {
  const bytes = clientHello({ serverName: 'Reviews.Example', protocols: ['h2', 'http/1.1'] })
  expect(read(bytes)).toEqual({ result: SNIFF.found, serverName: 'reviews.example', protocols: ['h2', 'http/1.1'] })
})

test("takes Istio's names, and hellos without any extension", () => {
  const name = 'outbound_.9080_.v1_.reviews.default.svc.cluster.local'
  expect(read(clientHello({ serverName: name })).serverName).toBe(name)
  expect(read(clientHello())).toEqual({ result: SNIFF.found, serverName: '', protocols: [] })
})

test('reads what node sends', async () => {
  const sent = await new Promise<Buffer>((resolve) => {
    const server = createServer((socket) => {
      socket.once('data', (bytes) => {
        resolve(bytes)
        socket.destroy()
        server.close()
      })
    })
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      connect({ port, host: '127.0.0.1', servername: 'a.example', ALPNProtocols: ['istio', 'h2'] }).on(
        'error',
        () => {},
      )
    })
  })
  expect(read(sent)).toEqual({ result: SNIFF.found, serverName: 'a.example', protocols: ['istio', 'h2'] })
})

test('a hello is found in the same way however its records and reads are cut', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 6 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), cuts, fc.integer({ min: 0, max: 9 }), (recordBytes, ends, before) => {
      const hello = clientHello({ serverName: 'a.example', protocols: ['h2'], recordBytes })
      const bytes = Buffer.concat([Buffer.alloc(before, 22), hello])
      const reader = new ClientHelloReader()
      for (const end of [...ends].sort((a, b) => a - b)) {
        if (end >= hello.length) break
        expect(reader.read(bytes, before, before + end)).toBe(SNIFF.more)
      }
      expect(reader.read(bytes, before, bytes.length)).toBe(SNIFF.found)
      expect([reader.serverName, reader.protocols]).toEqual(['a.example', ['h2']])
    }),
  )
})

test('what is not TLS is told from its first bytes', () => {
  for (const text of [
    'GET / HTTP/1.1',
    'PRI *',
    '\0',
    'S',
    '\x16\x02',
    '\x16\x03\x01\x00\x05\x02',
    '\x15\x03\x01',
    '\x16\x03\x01\0\0',
    '\x16\x03\x01\x40\x01',
  ])
    expect(read(Buffer.from(text, 'latin1')).result).toBe(SNIFF.absent)
  for (const text of ['', '\x16', '\x16\x03', '\x16\x03\x01\x02\x00', '\x16\x03\x01\x02\x00\x01'])
    expect(read(Buffer.from(text, 'latin1')).result).toBe(SNIFF.more)
})

test.each([
  ['a NUL in the name', clientHello({ serverName: 'a.example\0.evil' })],
  ['a name with a space', clientHello({ serverName: 'a b' })],
  ['an address in brackets', clientHello({ serverName: '[::1]' })],
  ['an empty name', clientHello({ serverName: '' })],
  ['a name of 256 bytes', clientHello({ serverName: 'a'.repeat(256) })],
  ['two names', clientHello({ serverName: 'a', extensions: [serverNameExtension(Buffer.from('b'))] })],
  ['an empty list of names', clientHello({ extensions: [extension(0, Buffer.from([0, 0]))] })],
  ['a list of names that is too long', clientHello({ extensions: [extension(0, Buffer.from([0, 9, 0, 0, 1, 97]))] })],
  ['an empty protocol', clientHello({ protocols: ['h2', ''] })],
  ['no protocol', clientHello({ protocols: [] })],
  ['65 protocols', clientHello({ protocols: Array.from({ length: 65 }, (_, i) => `p${i}`) })],
  ['protocols twice', clientHello({ protocols: ['h2'], extensions: [extension(16, Buffer.from([0, 2, 1, 97]))] })],
])('refuses %s', (_what, bytes) => {
  expect(read(bytes).result).toBe(SNIFF.broken)
})

test('refuses lengths that do not fit, and messages that break off', () => {
  const hello = clientHello({ serverName: 'a.example' })
  const withByte = (at: number, value: number) => {
    const copy = Buffer.from(hello)
    copy[at] = value
    return copy
  }
  // The session id's length, and that of the extensions.
  expect(read(withByte(43, 255)).result).toBe(SNIFF.broken)
  expect(read(withByte(84, 255)).result).toBe(SNIFF.broken)
  // Longer than any hello may be: refused before its bytes come.
  expect(read(withByte(6, 255)).result).toBe(SNIFF.broken)
  const cut = clientHello({ serverName: 'a.example', recordBytes: 40 })
  cut[45] = 23
  expect(read(cut).result).toBe(SNIFF.broken)
})

test('mutated hellos never throw, and are always decided once all has come', () => {
  const base = clientHello({ serverName: 'a.example', protocols: ['h2', 'http/1.1'], recordBytes: 50 })
  const changes = fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(changes, fc.nat(base.length), (edits, cut) => {
      const bytes = Buffer.from(base)
      for (const [at, value] of edits) bytes[at] = value
      const whole = read(bytes)
      const reader = new ClientHelloReader()
      let result = reader.read(bytes, 0, cut)
      if (result === SNIFF.more) result = reader.read(bytes, 0, bytes.length)
      expect({ result, serverName: reader.serverName, protocols: reader.protocols }).toEqual(whole)
      expect(whole.serverName).toMatch(/^[a-z0-9._-]*$/)
    }),
    { numRuns: 2000 },
  )
})

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (random, startsAsTls) => {
      const bytes = Buffer.concat([
        startsAsTls ? Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 190]) : Buffer.alloc(0),
        random,
      ])
      expect(Object.values(SNIFF)).toContain(read(bytes).result)
    }),
    { numRuns: 1000 },
  )
})
