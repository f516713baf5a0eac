import type { Socket } from 'node:net'
import { expect, test } from '@jest/globals'
import { AT_ONCE, OutBuffer } from './out-buffer.ts'
import { TurnPacer } from './turn-pacer.ts'

/** A socket that notes what is written to it; `holds` keeps the bytes as a socket does whose kernel buffer is full. */
function fakeSocket(holds = false) {
  const written: (string | Buffer)[] = []
  const socket = {
    destroyed: false,
    writableNeedDrain: false,
    writableLength: 0,
    write(data: Buffer) {
      written.push(holds ? data : data.toString('latin1'))
      if (holds) socket.writableLength += data.length
      return !holds
    },
  }
  return { socket: socket as unknown as Socket, written: () => written.map(String), state: socket }
}

const put = (out: OutBuffer, socket: Socket, text: string) => {
  out.claim(AT_ONCE)
  out.text(text)
  return out.writeTo(socket)
}

test('what is written to one socket in a turn leaves in one write, in order', () => {
  const out = new OutBuffer()
  const a = fakeSocket()
  const b = fakeSocket()
  put(out, a.socket, 'one ')
  put(out, a.socket, 'two')
  put(out, b.socket, 'other')
  put(out, a.socket, ' three')
  expect(a.written()).toEqual([])
  out.leave()
  expect(a.written()).toEqual(['one two', ' three'])
  expect(b.written()).toEqual(['other'])
  out.leave()
  expect(b.written()).toHaveLength(1)
})

test('leaves by itself at the end of the turn', async () => {
  const out = new OutBuffer()
  const a = fakeSocket()
  put(out, a.socket, 'x')
  await new Promise((resolve) => setImmediate(resolve))
  expect(a.written()).toEqual(['x'])
})

test('a turn that somebody begins ends when they say so, and later ones by themselves', async () => {
  const out = new OutBuffer()
  const a = fakeSocket()
  out.beginTurn()
  put(out, a.socket, 'x')
  await new Promise((resolve) => setImmediate(resolve))
  expect(a.written()).toEqual([])
  out.endTurn()
  expect(a.written()).toEqual(['x'])
  put(out, a.socket, 'y')
  await new Promise((resolve) => setImmediate(resolve))
  expect(a.written()).toEqual(['x', 'y'])
})

test('what was left to the event loop before somebody began a turn leaves with it', async () => {
  const out = new OutBuffer()
  const a = fakeSocket()
  put(out, a.socket, 'x')
  out.beginTurn()
  put(out, a.socket, 'y')
  out.endTurn()
  expect(a.written()).toEqual(['xy'])
  await new Promise((resolve) => setImmediate(resolve))
  expect(a.written()).toHaveLength(1)
})

test('its pacer is told of the end of a turn when all has left', async () => {
  const a = fakeSocket()
  const seen: unknown[] = []
  class Watched extends TurnPacer {
    override onTurnEnd() {
      seen.push(a.written())
    }
  }
  const out = new OutBuffer(new Watched())
  out.atTurnEnd({ onTurnEnd: () => a.socket.write(Buffer.from('frames')) })
  put(out, a.socket, 'x')
  await new Promise((resolve) => setImmediate(resolve))
  expect(seen).toEqual([['x', 'frames']])
})

test('bytes that a socket still holds are not overwritten', () => {
  const out = new OutBuffer()
  const slow = fakeSocket(true)
  const fast = fakeSocket()
  put(out, slow.socket, 'held')
  out.leave()
  put(out, fast.socket, 'over')
  out.leave()
  expect(slow.written()).toEqual(['held'])
})

test('an unfinished message of one owner goes before that of the next', () => {
  const out = new OutBuffer()
  const a = fakeSocket()
  const b = fakeSocket()
  const owner = { flush: () => void out.writeTo(a.socket) }
  out.claim(owner)
  out.text('begun')
  put(out, b.socket, 'cut in')
  out.leave()
  expect(a.written()).toEqual(['begun'])
  expect(b.written()).toEqual(['cut in'])
})

test('what is larger than a slab, or than what is left of one, comes out whole', () => {
  const out = new OutBuffer()
  const a = fakeSocket()
  const big = 'x'.repeat(200_000)
  put(out, a.socket, 'y'.repeat(60_000))
  put(out, a.socket, big)
  out.leave()
  expect(a.written().join('')).toBe('y'.repeat(60_000) + big)
})

test('a destroyed socket is passed over', () => {
  const out = new OutBuffer()
  const a = fakeSocket()
  put(out, a.socket, 'x')
  a.state.destroyed = true
  out.leave()
  expect(a.written()).toEqual([])
})
