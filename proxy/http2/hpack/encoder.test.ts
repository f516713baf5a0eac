import { describe, expect, test } from '@jest/globals'
import { decodeBlock, encodeBlock, encodeText, type Field, hex } from '../../../test/support/hpack.ts'
import { ByteSink } from './byte-sink.ts'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'
import { STATIC_FIELDS } from './static-table.ts'

const eager = (maxTableBytes?: number) => new HpackEncoder(maxTableBytes, { indexAtFirstSight: true })

/** The kind of the only field of a block, by its first byte. */
function kindOf(block: Buffer): string {
  const first = block[0]!
  if (first >= 0x80) return 'indexed'
  if (first >= 0x40) return 'incremental'
  if (first >= 0x20) return 'size update'
  return first >= 0x10 ? 'never' : 'literal'
}

test('every entry of the static table is one byte', () => {
  STATIC_FIELDS.forEach(([name, value], i) => {
    // Secrets are not named by an index even when they are empty.
    const isSecret = /authorization|cookie/.test(name)
    if (isSecret) expect([name, kindOf(encodeBlock(eager(), [[name, value]]))]).toEqual([name, 'never'])
    else expect([name, encodeBlock(eager(), [[name, value]])]).toEqual([name, Buffer.from([0x80 | (i + 1)])])
  })
})

test('a name of the static table is an index, whatever the value', () => {
  STATIC_FIELDS.forEach(([name], i) => {
    const block = encodeBlock(new HpackEncoder(), [[name, 'something else']])
    expect(decodeBlock(new HpackDecoder(4096), block).fields).toEqual([[name, 'something else']])
    const first = STATIC_FIELDS.findIndex(([n]) => n === name) + 1
    const index = (block[0]! & 15) === 15 ? 15 + block[1]! : block[0]! & 15
    expect([i, name, index]).toEqual([i, name, first])
  })
})

test('every status, of three digits', () => {
  const encoder = eager()
  const decoder = new HpackDecoder(4096)
  const out = new ByteSink(1)
  for (let i = 0; i < 1000; i++) {
    const status = 100 + ((i * 7) % 900)
    out.end = 0
    encoder.begin(out)
    encoder.status(out, status)
    const { error, fields } = decodeBlock(decoder, out.bytes.subarray(0, out.end))
    expect([error, fields]).toEqual([0, [[':status', String(status)]]])
    if ([200, 204, 206, 304, 400, 404, 500].includes(status)) expect(out.end).toBe(1)
  }
})

describe('what is indexed', () => {
  const kinds = (encoder: HpackEncoder, field: Field, times = 3) =>
    Array.from({ length: times }, () => kindOf(encodeBlock(encoder, [field])))

  test('a field that comes again, from the second time on', () => {
    expect(kinds(new HpackEncoder(), ['user-agent', 'curl'])).toEqual(['literal', 'incremental', 'indexed'])
    expect(kinds(eager(), ['user-agent', 'curl'])).toEqual(['incremental', 'indexed', 'indexed'])
  })

  test('never a secret, nor what came as never to be indexed', () => {
    const never = ['never', 'never', 'never']
    expect(kinds(eager(), ['authorization', 'Bearer x'])).toEqual(never)
    expect(kinds(eager(), ['Authorization', 'Bearer x'])).toEqual(never)
    expect(kinds(eager(), ['proxy-authorization', 'Basic x'])).toEqual(never)
    expect(kinds(eager(), ['set-cookie', 'a=b; max-age=3600; version=1'])).toEqual(never)
    expect(kinds(eager(), ['cookie', 'x'.repeat(19)])).toEqual(never)
    expect(kinds(eager(), ['cookie', 'x'.repeat(20)])).toEqual(['incremental', 'indexed', 'indexed'])
    const encoder = eager()
    encodeBlock(encoder, [['x-key', 'secret']])
    expect(kindOf(encodeBlock(encoder, [['x-key', 'secret']], true))).toBe('never')
    expect(kindOf(encodeBlock(encoder, [[':method', 'GET']], true))).toBe('never')
    expect(kindOf(encodeBlock(encoder, [['x-key', 'secret']]))).toBe('indexed')
  })

  test('not a secret whose name keeps its capitals either', () => {
    expect(kindOf(encodeText(eager(), [['Authorization', 'Bearer x']]))).toBe('never')
  })

  test('not what is another each time', () => {
    for (const name of [':path', 'content-length', 'x-request-id', 'traceparent', 'x-envoy-upstream-service-time']) {
      expect([name, kinds(eager(), [name, '12345'])]).toEqual([name, ['literal', 'literal', 'literal']])
    }
  })

  test('nothing that would fill more than half of the table', () => {
    expect(kinds(eager(), ['a', 'x'.repeat(2048 - 33)])[0]).toBe('incremental')
    expect(kinds(eager(), ['a', 'x'.repeat(2048 - 32)])[0]).toBe('literal')
    expect(kinds(eager(0), ['a', 'x'])).toEqual(['literal', 'literal', 'literal'])
  })

  test('fields that are new each time do not drive out one that is not', () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder(4096)
    const common: Field = ['user-agent', 'a browser']
    for (let i = 0; i < 1000; i++) {
      const fields: Field[] = [common, ['x-user', `user ${i}`.repeat(5)]]
      const block = encodeBlock(encoder, fields)
      expect(decodeBlock(decoder, block).fields).toEqual(fields)
      if (i > 1) expect(kindOf(block)).toBe('indexed')
    }
  })
})

test('names in lower case, or kept', () => {
  const out = new ByteSink()
  const encoder = eager()
  const decoder = new HpackDecoder(4096)
  decoder.allowUpperCase = true
  const name = 'Content-TYPE-[@`{X]\xc1\xda'
  const bytes = Buffer.from(`${name}text`, 'latin1')
  const field = (lowerCase: boolean, nameEnd = name.length) => {
    out.end = 0
    encoder.begin(out)
    encoder.bytes(out, bytes, undefined, 0, nameEnd, name.length, bytes.length, lowerCase)
    const into = out.bytes.toString('latin1', 0, out.end)
    return [kindOf(out.bytes), into.includes('Content') ? 'kept' : into.includes('content') ? 'lower' : '']
  }
  // Only letters change: @ [ ` { are beside them, and the last two are letters but for a bit.
  expect(field(true)).toEqual(['incremental', 'lower'])
  expect(out.bytes.toString('latin1', 2, 2 + name.length)).toBe('content-type-[@`{x]\xc1\xda')
  expect(field(false)).toEqual(['incremental', 'kept'])
  expect(field(true)).toEqual(['indexed', ''])
  expect(field(false)).toEqual(['indexed', ''])
  // The static table has the lower case only.
  expect(field(true, 12)).toEqual(['incremental', ''])
  expect(field(false, 12)).toEqual(['incremental', 'kept'])
  expect(field(false, 12)).toEqual(['indexed', ''])
})

test('names in lower case with Huffman code', () => {
  const encoder = new HpackEncoder(4096, { huffman: true })
  const block = encodeBlock(encoder, [['X-Some-Long-Name', 'value']])
  expect(block[1]! & 0x80).toBe(0x80)
  expect(decodeBlock(new HpackDecoder(4096), block).fields).toEqual([['x-some-long-name', 'value']])
})

test('texts and bytes give the same block', () => {
  const byBytes = new HpackEncoder()
  const byText = new HpackEncoder()
  const fields: Field[] = [
    [':method', 'PUT'],
    [':path', '/a'],
    ['x', ''],
    ['xy', 'z'],
    ['latin', '\x80\xe9\xff'],
    ['long', 'l'.repeat(300)],
  ]
  for (let i = 0; i < 3; i++) expect(encodeText(byText, fields)).toEqual(encodeBlock(byBytes, fields))
})

describe('table-size updates', () => {
  test('are written at the start of the next block, once', () => {
    const encoder = eager()
    encodeBlock(encoder, [['a', '1']])
    encoder.setMaxTableBytes(0)
    expect(encodeBlock(encoder, [['a', '1']])).toEqual(hex('20 00 0161 0131'))
    expect(encodeBlock(encoder, [['a', '1']])).toEqual(hex('00 0161 0131'))
  })

  test('name the smallest first, then the last', () => {
    const encoder = eager()
    const decoder = new HpackDecoder(4096)
    decodeBlock(decoder, encodeBlock(encoder, [['a', '1']]))
    for (const bytes of [1000, 10, 600, 300]) encoder.setMaxTableBytes(bytes)
    const block = encodeBlock(encoder, [['a', '1']])
    expect(block).toEqual(hex('2a 3f8d02 40 0161 0131'))
    expect(decodeBlock(decoder, block).error).toBe(0)
    expect(decodeBlock(decoder, encodeBlock(encoder, [['a', '1']])).fields).toEqual([['a', '1']])
  })

  test('name the smallest even when the last is what was before', () => {
    const encoder = eager()
    encodeBlock(encoder, [['a', '1']])
    encoder.setMaxTableBytes(0)
    encoder.setMaxTableBytes(4096)
    expect(encodeBlock(encoder, [['a', '1']])).toEqual(hex('20 3fe11f 40 0161 0131'))
  })

  test('never go over 4096, and are not written for nothing', () => {
    const encoder = eager()
    encoder.setMaxTableBytes(65536)
    expect(encodeBlock(encoder, [])).toHaveLength(0)
    encoder.setMaxTableBytes(100)
    encoder.setMaxTableBytes(100)
    expect(encodeBlock(encoder, [])).toEqual(hex('3f45'))
    encoder.setMaxTableBytes(65536)
    expect(encodeBlock(encoder, [])).toEqual(hex('3fe11f'))
  })
})

test('what a full set of hashes no longer finds is written anew, and stays right', () => {
  const encoder = eager()
  const decoder = new HpackDecoder(4096)
  // 100 entries of which many share a set; each is asked for again and again.
  for (let i = 0; i < 3000; i++) {
    const fields: Field[] = [['k', `${(i * 37) % 100}`]]
    expect(decodeBlock(decoder, encodeBlock(encoder, fields)).fields).toEqual(fields)
  }
})

test('a sink grows and keeps what is in it', () => {
  const out = new ByteSink(1)
  for (let i = 0; i < 300; i++) {
    out.reserve(1)
    out.bytes[out.end++] = i
  }
  expect([...out.bytes.subarray(0, 300)]).toEqual(Array.from({ length: 300 }, (_, i) => i & 255))
  out.view.setUint8(0, 77)
  expect(out.bytes[0]).toBe(77)
})
