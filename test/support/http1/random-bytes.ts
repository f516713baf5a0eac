import { type Random, randomInt } from '../../../lib/random.ts'

/** Streams of bytes that are nearly, and mostly quite, HTTP/1.1. Text is bytes, a character each. */

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[randomInt(random, from.length)] as T
}

const chance = (random: Random, oneIn: number) => randomInt(random, oneIn) === 0

const METHODS = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'HEAD',
  'OPTIONS',
  'DELETE',
  'CONNECT',
  'PATCH',
  'FROB',
  'get',
  'M-SEARCH',
  'SOURCE',
  'PRI',
  'G@T',
  '',
]
const TARGETS = [
  '/',
  '/',
  '/a',
  '/a?b=c',
  '/a/../b',
  '/%2e%2e',
  '/a;b',
  '*',
  'http://h/',
  'http://h:80/a?b',
  'HTTP://h',
  'http://h?q',
  'https://h/',
  'h:443',
  '[::1]:80',
  '/a#b',
  '/\xe9',
  '/"<>`{}|^',
  'http://u@h/',
  'http:///',
  '//h/a',
  '?',
  'a',
  '',
]
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.0',
  'HTTP/0.9',
  'HTTP/2.0',
  'HTTP/1.2',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/11',
  '',
]
const HOSTS = [
  'Host: h',
  'Host: h',
  'Host: h',
  'host:h:80',
  'Host: [::1]:1',
  'Host: a, b',
  'Host:',
  'Host: u@h',
  'Host : h',
  'Host: h\r\nHost: h',
  'X: y',
]
const FIELDS = [
  'A: b',
  'A:',
  'a:b',
  'A: b c\t d',
  'A:\tb\t',
  'A: \xe9\xff',
  'A: "b\\"c"',
  'Accept: */*',
  'Cookie: a=b; c=d',
  'Content-Type: text/plain',
  'Connection: keep-alive',
  'Connection: close',
  'Connection: Keep-Alive, close',
  'Connection: close, keep-alive',
  'connection: CLOSE',
  'Connection: a, b',
  'Connection: \xa0close',
  'Connection: a,\xa0keep-alive',
  'Connection: a,\xa0upgrade',
  'Connection: upgrade',
  'Connection: keep-alive, Upgrade',
  'Connection:',
  'Connection: closed',
  'Connection: close;q=1',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Upgrade:',
  'Keep-Alive: timeout=5',
  'Proxy-Connection: close',
  'TE: trailers',
  'TE: gzip',
  'Expect: 100-continue',
  'Expect: x',
  'Trailer: A',
  'A: b\r\n c',
  ' A: b',
  'A : b',
  'A\t: b',
  ': b',
  'A',
  'A: b\0',
  'A: b\rc',
  'A: b\nC: d',
  'A\x01: b',
  'A: \x7f',
  'A: \x0b',
  '(A): b',
]
const LENGTHS = [
  '5',
  '5',
  '5',
  '0',
  '05',
  '+5',
  '-5',
  '0x5',
  '5, 5',
  '5 ',
  '',
  ' 5',
  '5a',
  '99999999999999999999',
  '18446744073709551621',
  '1',
  '10',
]
const CODINGS = [
  'chunked',
  'chunked',
  'chunked',
  'Chunked',
  'CHUNKED',
  'chunked ',
  '\tchunked',
  'identity',
  'gzip, chunked',
  'chunked, gzip',
  'chunked, chunked',
  'xchunked',
  'chunkedx',
  'chunked;a',
  '"chunked"',
  ',chunked',
  'chunked,',
  '',
  '\x0bchunked',
]
const EXTENSIONS = [
  '',
  '',
  '',
  '',
  ';a',
  ';a=b',
  ';a="b;c"',
  ';a=b;c',
  ';',
  ';;',
  ';=',
  ';a=',
  ' ;a',
  '; a',
  ';a =b',
  ';"a"',
  ';a="\\""',
  ';a="b',
  ' ',
  ';a\0',
  ';a\xe9',
  ';a=\xe9',
  ';a="\xe9"',
]
const TRAILERS = [
  '',
  '',
  '',
  '',
  '',
  'A: b\r\n',
  'A: b\r\nC:d\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'A : b\r\n',
  'A\r\n',
  ': b\r\n',
  'A: b\r\n c\r\n',
  'A: b\n',
  'A: b\0\r\n',
  'Host: x\r\n',
  'Connection: close\r\n',
]
const STATUSES = [
  '200',
  '200',
  '200',
  '200',
  '204',
  '304',
  '101',
  '100',
  '103',
  '404',
  '503',
  '999',
  '099',
  '20',
  '2000',
  '2x0',
  '',
]
const REASONS = [' OK', ' OK', ' OK', '', ' ', ' Not Found', ' \xe9', '  OK', ' O\tK', ' O\0K', ' O\rK', '\tOK']
const ENDS = [
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\r\n',
  '',
]

/** Most parts of most messages are as they should be: a stream that is refused at once shows nothing. */
function usually<T>(random: Random, good: number, from: readonly T[], oneInOdd: number): T {
  return from[randomInt(random, chance(random, oneInOdd) ? from.length : good)] as T
}

function lineEnd(random: Random): string {
  return chance(random, 40) ? pick(random, ENDS) : '\r\n'
}

function chunkedBody(random: Random): string {
  let out = ''
  for (let n = randomInt(random, 3); n > 0; n--) {
    const data = 'GET /x HTTP/1.1\r\n'.slice(0, 1 + randomInt(random, 17))
    const size = chance(random, 20)
      ? pick(random, ['0x5', '+5', ' 5', '5 ', '', 'g', '00000005', 'FFFFFFFFFFFFFFFFF', '5'])
      : data.length.toString(16)
    const digits = chance(random, 6) ? size.toUpperCase().padStart(4, '0') : size
    out += `${digits}${usually(random, 8, EXTENSIONS, 8)}${lineEnd(random)}${data}${lineEnd(random)}`
  }
  return `${out}0${usually(random, 6, EXTENSIONS, 12)}${lineEnd(random)}${usually(random, 7, TRAILERS, 6)}${lineEnd(random)}`
}

/** Fields that frame, and a body that suits them more often than not. */
function framing(random: Random, mayLackBody: boolean): { lines: string[]; body: string } {
  const kind = randomInt(random, mayLackBody ? 12 : 10)
  if (kind < 4) {
    const length = usually(random, 5, LENGTHS, 6)
    const bytes = chance(random, 8) ? randomInt(random, 12) : Number(length) || 5
    return { lines: [`Content-Length: ${length}`], body: 'hello, wor'.slice(0, Math.min(bytes, 10)) }
  }
  if (kind < 9) return { lines: [`Transfer-Encoding: ${usually(random, 7, CODINGS, 6)}`], body: chunkedBody(random) }
  if (kind === 9) {
    const lines = [`Content-Length: ${pick(random, LENGTHS)}`, `Transfer-Encoding: ${pick(random, CODINGS)}`]
    if (chance(random, 2)) lines.reverse()
    if (chance(random, 3)) lines.push(pick(random, lines))
    return { lines, body: chunkedBody(random) }
  }
  return { lines: [], body: chance(random, 6) ? 'hello' : '' }
}

function headText(random: Random, start: string, lines: readonly string[]): string {
  const shuffled = [...lines]
  for (let n = randomInt(random, 4); n > 0; n--) {
    shuffled.splice(randomInt(random, shuffled.length + 1), 0, usually(random, 31, FIELDS, 6))
  }
  if (chance(random, 400)) for (let i = 0; i < 110; i++) shuffled.push(`f${i}: v`)
  return `${start}${lineEnd(random)}${shuffled.map((line) => line + lineEnd(random)).join('')}${lineEnd(random)}`
}

export function randomRequest(random: Random): string {
  const start = `${usually(random, 11, METHODS, 8)} ${usually(random, 13, TARGETS, 8)} ${usually(random, 8, VERSIONS, 8)}`
  const { lines, body } = chance(random, 3) ? { lines: [], body: '' } : framing(random, true)
  const empty = chance(random, 15) ? pick(random, ['\r\n', '\r\n\r\n', '\n', '\r', '\r\n\r\n\r\n', ' ']) : ''
  return `${empty}${headText(random, start, [usually(random, 5, HOSTS, 8), ...lines])}${body}`
}

export function randomResponse(random: Random): string {
  const start = `${usually(random, 8, VERSIONS, 8)} ${usually(random, 11, STATUSES, 8)}${usually(random, 7, REASONS, 8)}`
  const { lines, body } = framing(random, true)
  return `${headText(random, start, lines)}${body}`
}

const INSERTS = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '0',
  '5',
  'a',
  '\r\n\r\n',
  '\xff',
  '\x0b',
  '\r\n ',
  'chunked',
  'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
]

/** A small change, of the kinds by which readers are brought to differ. */
export function mutate(random: Random, text: string, other: string): string {
  const at = randomInt(random, text.length + 1)
  const length = 1 + randomInt(random, 12)
  switch (randomInt(random, 8)) {
    case 0:
      return text.slice(0, at) + other.slice(randomInt(random, other.length + 1))
    case 1:
      return (
        text.slice(0, at) +
        String.fromCharCode((text.charCodeAt(at) ^ (1 << randomInt(random, 8))) & 255) +
        text.slice(at + 1)
      )
    case 2:
      return text.slice(0, at + length) + text.slice(at)
    case 3:
      return text.slice(0, at) + text.slice(at + length)
    case 4: {
      const lines = text.split('\r\n')
      const one = randomInt(random, lines.length)
      const two = randomInt(random, lines.length)
      const moved = lines[one] as string
      lines[one] = lines[two] as string
      lines[two] = moved
      return lines.join('\r\n')
    }
    case 5:
      return text.slice(0, at)
    default:
      return text.slice(0, at) + pick(random, INSERTS) + text.slice(at)
  }
}

/** The bytes in one to five pieces. */
export function cut(random: Random, bytes: Buffer): Buffer[] {
  const places = Array.from({ length: randomInt(random, 5) }, () => randomInt(random, bytes.length + 1))
  places.sort((a, b) => a - b)
  const pieces: Buffer[] = []
  let from = 0
  for (const place of [...places, bytes.length]) {
    if (place > from) pieces.push(bytes.subarray(from, place))
    from = place
  }
  return pieces
}
