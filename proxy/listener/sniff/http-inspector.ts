import { SNIFF, type SniffResult } from './result.ts'

/** RFC 9113 section 3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const SPACE = 0x20
const LF = 0x0a
const CR = 0x0d
/** No method comes near this; what has no space by then is another protocol. */
const MAX_METHOD_BYTES = 32

/** Tells whether a client speaks HTTP, and which, by its first line. */
export class HttpInspector {
  /** As ALPN would name it: `http/1.0`, `http/1.1` or `h2c`; '' for another protocol. */
  protocol = ''
  #scanned = 0
  /** Where the target begins, counted from the start; 0 before the method has ended. */
  #targetAt = 0

  /** Looks at `bytes[start, end)`; each call must bring the same bytes and, after them, more. */
  read(bytes: Buffer, start: number, end: number): SniffResult {
    const preface = readPreface(bytes, start, end)
    if (preface !== SNIFF.absent) {
      if (preface === SNIFF.found) this.protocol = 'h2c'
      return preface
    }
    let at = start + this.#scanned
    for (; this.#targetAt === 0; at++) {
      if (at === end) return this.#wait(at - start)
      const code = bytes[at] as number
      if (code === SPACE && at > start) this.#targetAt = at + 1 - start
      else if (!isTokenByte(code) || at - start === MAX_METHOD_BYTES) return SNIFF.absent
    }
    const lineEnd = bytes.indexOf(LF, at)
    if (lineEnd < 0 || lineEnd >= end) return this.#wait(end - start)
    return this.#readVersion(bytes, start, lineEnd)
  }

  #wait(scanned: number): SniffResult {
    this.#scanned = scanned
    return SNIFF.more
  }

  #readVersion(bytes: Buffer, start: number, lineEnd: number): SniffResult {
    const end = bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd
    // The target has one byte at least.
    if (end - 9 <= start + this.#targetAt) return SNIFF.absent
    const version = bytes.toString('latin1', end - 9, end)
    if (version === ' HTTP/1.1') this.protocol = 'http/1.1'
    else if (version === ' HTTP/1.0') this.protocol = 'http/1.0'
    else return SNIFF.absent
    return SNIFF.found
  }
}

function readPreface(bytes: Buffer, start: number, end: number): SniffResult {
  const length = Math.min(end - start, PREFACE.length)
  if (bytes.compare(PREFACE, 0, length, start, start + length) !== 0) return SNIFF.absent
  return length === PREFACE.length ? SNIFF.found : SNIFF.more
}

/** RFC 9110 section 5.6.2. */
function isTokenByte(code: number): boolean {
  return code > 0x20 && code < 0x7f && !'"(),/:;<=>?@[\\]{}'.includes(String.fromCharCode(code))
}
