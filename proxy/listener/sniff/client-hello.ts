import { MAX_SNIFFED_BYTES, SNIFF, type SniffResult } from './result.ts'

const RECORD_HEADER_BYTES = 5
const HANDSHAKE_HEADER_BYTES = 4
const CONTENT_TYPE_HANDSHAKE = 22
const CLIENT_HELLO = 1
/** RFC 8446 section 5.1. */
const MAX_RECORD_BYTES = 16384
const EXTENSION_SERVER_NAME = 0
const EXTENSION_ALPN = 16
const HOST_NAME = 0
const MAX_SERVER_NAME_BYTES = 255
const MAX_ALPN_PROTOCOLS = 64

/**
 * Reads a ClientHello (RFC 8446 section 4.1.2) for its server name (RFC 6066 section 3) and ALPN protocols (RFC 7301
 * section 3.1). The message may be spread over records, and these over reads; what has been read is not read again.
 */
export class ClientHelloReader {
  /** Lower-case, or ''. */
  serverName = ''
  protocols: string[] = []
  #recordAt = 0
  #message: Buffer | undefined
  #messageLength = 0

  /** Looks at `bytes[start, end)`; each call must bring the same bytes and, after them, more. */
  read(bytes: Buffer, start: number, end: number): SniffResult {
    for (;;) {
      const at = start + this.#recordAt
      const isFirst = this.#messageLength === 0
      // From the second record on it was TLS: what breaks off is broken.
      const other = isFirst ? SNIFF.absent : SNIFF.broken
      if (at < end && bytes[at] !== CONTENT_TYPE_HANDSHAKE) return other
      if (at + 1 < end && bytes[at + 1] !== 3) return other
      if (at + RECORD_HEADER_BYTES > end) return SNIFF.more
      const length = bytes.readUInt16BE(at + 3)
      const body = at + RECORD_HEADER_BYTES
      if (length === 0 || length > MAX_RECORD_BYTES) return other
      if (isFirst && body < end && bytes[body] !== CLIENT_HELLO) return SNIFF.absent
      if (body + length > end) return SNIFF.more
      this.#recordAt += RECORD_HEADER_BYTES + length
      const result = this.#add(bytes.subarray(body, body + length))
      if (result !== SNIFF.more) return result
    }
  }

  #add(piece: Buffer): SniffResult {
    const needed = this.#messageLength + piece.length
    if (this.#message === undefined) this.#message = piece
    else {
      if (needed > this.#message.length) {
        const larger = Buffer.allocUnsafe(needed * 2)
        this.#message.copy(larger, 0, 0, this.#messageLength)
        this.#message = larger
      }
      piece.copy(this.#message, this.#messageLength)
    }
    this.#messageLength = needed
    if (needed < HANDSHAKE_HEADER_BYTES) return SNIFF.more
    const length = HANDSHAKE_HEADER_BYTES + this.#message.readUIntBE(1, 3)
    if (length > MAX_SNIFFED_BYTES) return SNIFF.broken
    if (needed < length) return SNIFF.more
    return this.#parse(this.#message, HANDSHAKE_HEADER_BYTES, length) ? SNIFF.found : SNIFF.broken
  }

  #parse(bytes: Buffer, start: number, end: number): boolean {
    // legacy_version and random, then three vectors: session id, cipher suites, compression methods.
    let at = start + 34
    at = skipVector(bytes, at, 1, end)
    at = skipVector(bytes, at, 2, end)
    at = skipVector(bytes, at, 1, end)
    if (at === end) return true
    if (at < 0 || at + 2 > end || at + 2 + bytes.readUInt16BE(at) !== end) return false
    return this.#parseExtensions(bytes, at + 2, end)
  }

  #parseExtensions(bytes: Buffer, start: number, end: number): boolean {
    let at = start
    let hasServerName = false
    let hasAlpn = false
    while (at < end) {
      if (at + 4 > end) return false
      const type = bytes.readUInt16BE(at)
      const body = at + 4
      at = body + bytes.readUInt16BE(at + 2)
      if (at > end) return false
      if (type === EXTENSION_SERVER_NAME) {
        if (hasServerName || !this.#parseServerName(bytes, body, at)) return false
        hasServerName = true
      } else if (type === EXTENSION_ALPN) {
        if (hasAlpn || !this.#parseAlpn(bytes, body, at)) return false
        hasAlpn = true
      }
    }
    return true
  }

  #parseServerName(bytes: Buffer, start: number, end: number): boolean {
    if (start + 2 > end || start + 2 + bytes.readUInt16BE(start) !== end) return false
    let at = start + 2
    while (at < end) {
      if (at + 3 > end) return false
      const type = bytes[at]
      const body = at + 3
      at = body + bytes.readUInt16BE(at + 1)
      if (at > end) return false
      if (type !== HOST_NAME) continue
      if (this.serverName !== '' || at === body || at - body > MAX_SERVER_NAME_BYTES) return false
      for (let i = body; i < at; i++) if (!isNameByte(bytes[i] as number)) return false
      this.serverName = bytes.toString('latin1', body, at).toLowerCase()
    }
    return this.serverName !== ''
  }

  #parseAlpn(bytes: Buffer, start: number, end: number): boolean {
    if (start + 2 > end || start + 2 + bytes.readUInt16BE(start) !== end) return false
    let at = start + 2
    while (at < end) {
      const length = bytes[at] as number
      if (length === 0 || at + 1 + length > end || this.protocols.length === MAX_ALPN_PROTOCOLS) return false
      this.protocols.push(bytes.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
    return this.protocols.length > 0
  }
}

/** The place after a vector whose length stands before it in `width` bytes; -1 when it does not fit. */
function skipVector(bytes: Buffer, at: number, width: 1 | 2, end: number): number {
  if (at < 0 || at + width > end) return -1
  const next = at + width + (width === 1 ? (bytes[at] as number) : bytes.readUInt16BE(at))
  return next > end ? -1 : next
}

/** Letters, digits, `-`, `.`, and `_`, which Istio's names hold. */
function isNameByte(code: number): boolean {
  const lower = code | 0x20
  return (
    (lower >= 0x61 && lower <= 0x7a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2d ||
    code === 0x2e ||
    code === 0x5f
  )
}
