import { expect, test } from '@jest/globals'
import { FRAME } from './frame.ts'
import { type FrameHandler, FrameReader } from './frame-reader.ts'

const IGNORE: FrameHandler = {
  onFrame: () => 0,
  onDataFrame: () => 0,
  onData: () => 0,
  onDataEnd: () => 0,
}

function frame(type: number, length: number, there = length): Buffer {
  const bytes = Buffer.alloc(9 + there, FRAME.data)
  bytes.writeUIntBE(length, 0, 3)
  bytes[3] = type
  bytes[8] = 1
  return bytes
}

test('reads that have content of DATA in them are told from others before they are read', () => {
  const reader = new FrameReader()
  const mayHold = (...frames: Buffer[]) => reader.mayHoldData(Buffer.concat(frames))
  const read = (...frames: Buffer[]) => reader.read(Buffer.concat(frames), 0, IGNORE)
  // Its payload is like the beginning of DATA; only where frames begin counts.
  const headers = frame(FRAME.headers, 300)
  expect(mayHold(headers)).toBe(false)
  expect(mayHold(headers, frame(FRAME.windowUpdate, 4), headers)).toBe(false)
  expect(mayHold(headers, frame(FRAME.headers, 300, 5))).toBe(false)
  expect(mayHold(headers, headers.subarray(0, 8))).toBe(false)
  expect(mayHold(frame(FRAME.data, 0))).toBe(true)
  expect(mayHold(headers, frame(FRAME.settings, 0), frame(FRAME.data, 70_000, 5))).toBe(true)

  read(frame(FRAME.data, 10, 5))
  expect(mayHold(headers)).toBe(true)
  read(Buffer.alloc(5), headers)
  expect(mayHold(headers)).toBe(false)
  read(headers.subarray(0, 3))
  expect(mayHold(headers)).toBe(true)
  read(headers.subarray(3, 100))
  expect(mayHold(headers)).toBe(true)
  read(headers.subarray(100))
  expect(mayHold(headers)).toBe(false)
})
