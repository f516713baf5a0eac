import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Base64Reader, encodeData, encodeTrailers, type GrpcWebCall, responseType } from './body.ts'

const TEXT: GrpcWebCall = { isTextRequest: true, isTextResponse: true, message: '+proto' }
const BINARY: GrpcWebCall = { isTextRequest: false, isTextResponse: false, message: '' }

test('base64 is read however it is cut, with padding after each message', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      (messages, cuts) => {
        const text = messages.map((message) => Buffer.from(message).toString('base64')).join('')
        const reader = new Base64Reader()
        const read: Buffer[] = []
        for (let at = 0, i = 0; at < text.length; i++) {
          const size = cuts[i % cuts.length] as number
          const piece = reader.read(Buffer.from(text.slice(at, at + size), 'latin1'))
          if (piece === undefined) throw new Error('was refused')
          read.push(piece)
          at += size
        }
        expect(Buffer.concat(read)).toEqual(Buffer.concat(messages.map((message) => Buffer.from(message))))
        expect(reader.isWhole).toBe(true)
      },
    ),
  )
})

test.each(['!AAA', 'A=AA', '=AAA', 'AA=A', 'AA\r\n', 'AA A'])('%j is no base64', (text) => {
  expect(new Base64Reader().read(Buffer.from(text))).toBeUndefined()
})

test('an end within a group is seen', () => {
  const reader = new Base64Reader()
  expect(reader.read(Buffer.from('AAAAA'))?.length).toBe(3)
  expect(reader.isWhole).toBe(false)
  reader.reset()
  expect(reader.isWhole).toBe(true)
})

test('trailers are a message of their own', () => {
  const message = encodeTrailers('Grpc-Status: 0\r\ngrpc-message: ok\r\n', BINARY)
  expect(message[0]).toBe(0x80)
  expect(message.readUInt32BE(1)).toBe(message.length - 5)
  expect(message.toString('latin1', 5)).toBe('grpc-status:0\r\ngrpc-message:ok\r\n')
  expect(Buffer.from(encodeTrailers('a: b\r\n', TEXT).toString('latin1'), 'base64').toString('latin1', 5)).toBe(
    'a:b\r\n',
  )
})

test('the answer is of the kind that was asked for', () => {
  expect(responseType(TEXT)).toBe('application/grpc-web-text+proto')
  expect(responseType(BINARY)).toBe('application/grpc-web')
  expect(encodeData(Buffer.from('abc'), TEXT).toString()).toBe('YWJj')
  expect(encodeData(Buffer.from('abc'), BINARY).toString()).toBe('abc')
})
