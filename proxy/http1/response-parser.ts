import { spells } from '../stream/header-block.ts'
import { FRAMING, type ResponseHead } from '../stream/message.ts'
import { CR, IS_VALUE, LF, SP } from './chars.ts'
import {
  isChunked,
  parseFields,
  readConnection,
  readContentLength,
  readProxyConnection,
  removeHopByHop,
} from './field-parser.ts'
import { HEAD_ERROR, type HeadError } from './head-error.ts'
import { httpMinorVersion } from './request-parser.ts'

/**
 * Parses one response head strictly. `start` is its first byte, `end` the CR of the empty line that closes it.
 * `requestMethod` decides whether a body can follow (RFC 9112 section 6.3). Fills `head`, whose connection-specific
 * fields are then taken out.
 */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  end: number,
  head: ResponseHead,
  requestMethod: string,
): HeadError | undefined {
  head.clear()
  const minor = httpMinorVersion(bytes, start)
  if (minor < 0 || bytes[start + 8] !== SP) return HEAD_ERROR.codec
  let pos = start + 9
  let status = 0
  for (let i = 0; i < 3; i++) {
    const digit = (bytes[pos++] as number) - 48
    if (digit < 0 || digit > 9) return HEAD_ERROR.codec
    status = status * 10 + digit
  }
  if (status < 100) return HEAD_ERROR.codec
  if (bytes[pos] === SP) {
    pos++
    while (IS_VALUE[bytes[pos] as number] === 1) pos++
  }
  if (bytes[pos] !== CR || bytes[pos + 1] !== LF) return HEAD_ERROR.codec
  const failed = parseFields(bytes, pos + 2, end + 2, start, head)
  if (failed !== undefined) return failed
  head.bytes = bytes
  head.view = undefined
  head.base = start
  head.status = status
  head.minorVersion = minor
  head.hasStartLine = minor === 1
  head.keepAlive = minor === 1
  return readFields(head, requestMethod)
}

function readFields(head: ResponseHead, requestMethod: string): HeadError | undefined {
  const { at, count, bytes, base } = head
  let connection = -1
  let length = -1
  let encoding = -1
  for (let i = 0; i < count; i++) {
    const nameStart = at[i << 2] as number
    switch ((at[(i << 2) + 1] as number) - nameStart) {
      case 4:
        if (spells(bytes, base + nameStart, 'date')) head.dateIndex = i
        break
      case 6:
        if (spells(bytes, base + nameStart, 'server')) head.serverIndex = i
        break
      case 7:
        // Of this hop only, and no field of HTTP/2; a 101 gets one of its own.
        if (spells(bytes, base + nameStart, 'upgrade')) head.removeAt(i)
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
  return readFraming(head, requestMethod, length, encoding) ?? removeHopByHop(head, connection)
}

function readFraming(
  head: ResponseHead,
  requestMethod: string,
  length: number,
  encoding: number,
): HeadError | undefined {
  const { status } = head
  if (encoding >= 0 && length >= 0) return HEAD_ERROR.lengthAndChunked
  if (length >= 0) {
    head.contentLength = readContentLength(head, length)
    if (head.contentLength < 0) return HEAD_ERROR.contentLengthInvalid
  }
  if (encoding >= 0) {
    if (!isChunked(head, encoding)) return HEAD_ERROR.invalidTransferEncoding
    head.removeAt(encoding)
    // RFC 9112 section 6.1: who sends chunks as HTTP/1.0 may count the end of the message otherwise than we do.
    if (head.minorVersion === 0) head.keepAlive = false
  }
  if (requestMethod === 'CONNECT' && status >= 200 && status < 300) {
    // RFC 9110 section 9.3.6: what follows is the tunnel's, whatever the fields say.
    if (length >= 0) head.removeAt(length)
    head.framing = FRAMING.untilClose
    return undefined
  }
  if (requestMethod === 'HEAD' || status < 200 || status === 204 || status === 304) {
    if (encoding >= 0 && requestMethod !== 'HEAD' && status !== 304) return HEAD_ERROR.transferEncodingNotAllowed
    // A length in a 1xx or 204 frames nothing and must not be passed on as if it did (RFC 9110 section 8.6).
    if (length >= 0 && (status < 200 || status === 204)) head.removeAt(length)
    return undefined
  }
  if (encoding >= 0) head.framing = FRAMING.chunked
  else if (length >= 0) head.framing = head.contentLength > 0 ? FRAMING.length : FRAMING.none
  else head.framing = FRAMING.untilClose
  if (head.framing === FRAMING.untilClose) head.keepAlive = false
  return undefined
}
