import { latin1 } from '../../lib/latin1.ts'
import { type HeaderBlock, spells } from '../stream/header-block.ts'
import { FRAMING, isAuthority, PATHS, type RequestHead } from '../stream/message.ts'
import { CR, IS_TARGET, IS_TOKEN, LF, SLASH, SP } from './chars.ts'
import {
  isChunked,
  parseFields,
  readConnection,
  readContentLength,
  readProxyConnection,
  removeHopByHop,
  trimWhitespace,
} from './field-parser.ts'
import { HEAD_ERROR, type HeadError } from './head-error.ts'

/**
 * Parses one request head strictly (RFC 9112). `start` is its first byte, `end` the CR of the empty line that closes
 * it. Fills `head`, whose connection-specific fields are then taken out, so that what is left may be forwarded.
 * Returns undefined when all is well.
 */
export function parseRequestHead(bytes: Buffer, start: number, end: number, head: RequestHead): HeadError | undefined {
  head.clear()
  let pos = start
  while (IS_TOKEN[bytes[pos] as number] === 1) pos++
  if (pos === start || bytes[pos] !== SP) return HEAD_ERROR.codec
  const methodEnd = pos - start
  const targetStart = ++pos
  while (IS_TARGET[bytes[pos] as number] === 1) pos++
  if (pos === targetStart || bytes[pos] !== SP) return HEAD_ERROR.invalidUrl
  const targetEnd = pos
  const minor = httpMinorVersion(bytes, pos + 1)
  if (minor < 0) return minor === -2 ? HEAD_ERROR.versionNotSupported : HEAD_ERROR.codec
  if (bytes[pos + 9] !== CR || bytes[pos + 10] !== LF) return HEAD_ERROR.codec
  const failed = parseFields(bytes, pos + 11, end + 2, start, head)
  if (failed !== undefined) return failed
  head.bytes = bytes
  head.view = undefined
  head.base = start
  head.method = methodOf(bytes, start, methodEnd)
  head.minorVersion = minor
  head.keepAlive = minor === 1
  return readFields(head) ?? readTarget(head, PATHS.text(bytes, targetStart, targetEnd)) ?? checkHost(head)
}

/** The commonest method needs no text made for it. */
function methodOf(bytes: Buffer, start: number, length: number): string {
  if (length === 3 && bytes[start] === 71 && bytes[start + 1] === 69 && bytes[start + 2] === 84) return 'GET'
  return latin1(bytes, start, start + length)
}

/** Reads `HTTP/1.x` at `pos`: 0 or 1, -1 when it is not HTTP, -2 when it is another version of it. */
export function httpMinorVersion(bytes: Uint8Array, pos: number): number {
  // "HTTP/" then digit, dot, digit.
  if (
    bytes[pos] !== 72 ||
    bytes[pos + 1] !== 84 ||
    bytes[pos + 2] !== 84 ||
    bytes[pos + 3] !== 80 ||
    bytes[pos + 4] !== 47 ||
    bytes[pos + 6] !== 46
  ) {
    return -1
  }
  const major = (bytes[pos + 5] as number) - 48
  const minor = (bytes[pos + 7] as number) - 48
  if (major < 0 || major > 9 || minor < 0 || minor > 9) return -1
  return major === 1 && minor <= 1 ? minor : -2
}

/** Finds the fields that frame and steer the message in one pass, told apart by the length of their names. */
function readFields(head: RequestHead): HeadError | undefined {
  const { at, count, bytes, base } = head
  let connection = -1
  let upgrade = ''
  let length = -1
  let encoding = -1
  for (let i = 0; i < count; i++) {
    const nameStart = at[i << 2] as number
    switch ((at[(i << 2) + 1] as number) - nameStart) {
      case 2:
        if (spells(bytes, base + nameStart, 'te') && head.value(i).toLowerCase() !== 'trailers') head.removeAt(i)
        break
      case 4:
        if (spells(bytes, base + nameStart, 'host')) {
          if (head.hostIndex >= 0) return HEAD_ERROR.duplicateHost
          head.hostIndex = i
        }
        break
      case 6:
        if (spells(bytes, base + nameStart, 'expect')) {
          if (head.value(i).toLowerCase() !== '100-continue') return HEAD_ERROR.expectationFailed
          head.expectContinue = head.minorVersion === 1
          head.removeAt(i)
        }
        break
      case 7:
        if (spells(bytes, base + nameStart, 'upgrade')) {
          upgrade = upgrade === '' ? head.value(i) : `${upgrade}, ${head.value(i)}`
          head.removeAt(i)
        }
        break
      case 10:
        if (spells(bytes, base + nameStart, 'connection')) {
          if (connection < 0) connection = i
          readConnection(head, i)
        } else if (spells(bytes, base + nameStart, 'keep-alive')) head.removeAt(i)
        break
      case 14:
        if (spells(bytes, base + nameStart, 'content-length')) {
          if (length >= 0) return HEAD_ERROR.contentLengthInvalid
          length = i
        }
        break
      case 16:
        if (spells(bytes, base + nameStart, 'proxy-connection')) {
          readProxyConnection(head, i)
          head.removeAt(i)
        }
        break
      case 17:
        if (spells(bytes, base + nameStart, 'transfer-encoding')) {
          if (encoding >= 0) return HEAD_ERROR.invalidTransferEncoding
          encoding = i
        }
        break
      default:
    }
  }
  const framingError = readFraming(head, length, encoding)
  if (framingError !== undefined) return framingError
  // Nobody changes to HTTP/2 so any more (RFC 9113 section 3.1), and HTTP/1.0 cannot: the request is served as it is.
  if (upgrade !== '' && upgrade !== 'h2c' && head.minorVersion === 1 && namesUpgrade(head, connection)) {
    head.upgrade = upgrade.toLowerCase()
  }
  return removeHopByHop(head, connection)
}

function namesUpgrade(head: HeaderBlock, connectionIndex: number): boolean {
  for (let i = connectionIndex; i >= 0; i = head.find('connection', i + 1)) {
    for (const part of head.value(i).split(',')) if (trimWhitespace(part).toLowerCase() === 'upgrade') return true
  }
  return false
}

/** RFC 9112 section 6.3, at its strictest: one length or exactly `chunked`, never both. */
function readFraming(head: RequestHead, length: number, encoding: number): HeadError | undefined {
  if (encoding >= 0) {
    if (length >= 0) return HEAD_ERROR.lengthAndChunked
    if (head.minorVersion === 0 || head.method === 'CONNECT') return HEAD_ERROR.transferEncodingNotAllowed
    if (!isChunked(head, encoding)) return HEAD_ERROR.invalidTransferEncoding
    head.framing = FRAMING.chunked
    head.removeAt(encoding)
  } else if (length >= 0) {
    head.contentLength = readContentLength(head, length)
    if (head.contentLength < 0) return HEAD_ERROR.contentLengthInvalid
    if (head.contentLength === 0) return undefined
    // What follows a CONNECT is the tunnel's (RFC 9110 section 9.3.6): a length would say otherwise to some.
    if (head.method === 'CONNECT') return HEAD_ERROR.contentLengthInvalid
    head.framing = FRAMING.length
  }
  return undefined
}

function hostOf(head: RequestHead): string {
  const { at, bytes, base, hostIndex } = head
  const slot = hostIndex << 2
  return head.hostText(bytes, base + (at[slot + 2] as number), base + (at[slot + 3] as number))
}

function readTarget(head: RequestHead, target: string): HeadError | undefined {
  if (head.method === 'CONNECT') {
    head.authority = target
    // One truth on the host: the Host that came is not passed on.
    head.authorityRewritten = true
    return target.charCodeAt(0) === SLASH ? HEAD_ERROR.invalidUrl : undefined
  }
  if (target.charCodeAt(0) === SLASH) {
    if (target.includes('#')) return HEAD_ERROR.invalidUrl
    head.path = target
    if (head.minorVersion === 1) head.receivedPath = target
    if (head.hostIndex >= 0) head.authority = hostOf(head)
    return undefined
  }
  if (target === '*') {
    head.path = target
    if (head.hostIndex >= 0) head.authority = head.value(head.hostIndex)
    return head.method === 'OPTIONS' ? undefined : HEAD_ERROR.invalidUrl
  }
  return readAbsoluteForm(head, target)
}

/** RFC 9112 section 3.2.2: the target's authority wins over Host, which is rewritten to agree with it. */
function readAbsoluteForm(head: RequestHead, target: string): HeadError | undefined {
  const schemeEnd = target.indexOf('://')
  if (schemeEnd < 0) return HEAD_ERROR.invalidUrl
  const scheme = target.slice(0, schemeEnd).toLowerCase()
  if (scheme === 'https') return HEAD_ERROR.httpsOnPlaintext
  if (scheme !== 'http') return HEAD_ERROR.invalidScheme
  const rest = target.slice(schemeEnd + 3)
  if (rest.includes('#')) return HEAD_ERROR.invalidUrl
  const pathStart = rest.search(/[/?]/)
  head.authority = pathStart < 0 ? rest : rest.slice(0, pathStart)
  const path = pathStart < 0 ? '/' : rest.slice(pathStart)
  head.path = path.startsWith('/') ? path : `/${path}`
  if (head.authority === '') return HEAD_ERROR.invalidUrl
  head.authorityRewritten = true
  return undefined
}

function checkHost(head: RequestHead): HeadError | undefined {
  if (head.hostIndex < 0 && head.minorVersion === 1) return HEAD_ERROR.missingHost
  if (head.authority === '') return HEAD_ERROR.missingHost
  if (!head.hasValidAuthority()) return HEAD_ERROR.invalidHost
  // A Host that the target overrides must be one all the same (RFC 9112 section 3.2).
  if (!head.authorityRewritten || head.hostIndex < 0) return undefined
  const host = head.value(head.hostIndex)
  return host === '' || isAuthority(host) ? undefined : HEAD_ERROR.invalidHost
}
