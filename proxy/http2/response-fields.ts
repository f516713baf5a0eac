import { parseContentLength } from '../http1/field-parser.ts'
import { MAX_HEADERS, spells } from '../stream/header-block.ts'
import { FRAMING, type ResponseHead } from '../stream/message.ts'
import { takeFields } from './header-fields.ts'
import type { FieldLines } from './hpack/field-lines.ts'
import { ResponseReading } from './readings.ts'

/**
 * Reads a response from its decoded fields (RFC 9113 section 8.3.2) into `head`. False when it is malformed. An interim
 * response has a status under 200, and nothing else of it is read.
 */
export function readResponse(lines: FieldLines, head: ResponseHead, endStream: boolean, method: string): boolean {
  const isOfHead = method === 'HEAD'
  const known = lines.kept?.reading as ResponseReading | undefined
  if (known !== undefined && known.endStream === endStream && known.isOfHead === isOfHead) {
    known.show(lines, head)
    return true
  }
  head.clear()
  const { bytes, base, at, count } = lines
  if (count === 0 || !spells(bytes, base, ':status') || at[1] !== 7) return false
  const statusAt = base + (at[2] as number)
  if ((at[3] as number) - (at[2] as number) !== 3) return false
  let status = 0
  for (let i = 0; i < 3; i++) {
    const digit = (bytes[statusAt + i] as number) - 48
    if (digit < 0 || digit > 9) return false
    status = status * 10 + digit
  }
  // 101 has no meaning in HTTP/2 (RFC 9113 section 8.6).
  if (status < 100 || status === 101 || count - 1 > MAX_HEADERS) return false
  head.status = status
  if (status < 200) return !endStream
  takeFields(lines, 1, head)
  const length = readRegular(head)
  if (length === MALFORMED) return false
  if (length > 0) head.contentLength = length
  const hasNoBody = isOfHead || status === 204 || status === 304
  if (endStream || hasNoBody) {
    if (endStream && length > 0 && !hasNoBody) return false
    if (status === 204 && length >= 0) head.remove('content-length')
  } else head.framing = length > 0 ? FRAMING.length : FRAMING.chunked
  ResponseReading.note(lines, head, endStream, isOfHead)
  return true
}

const MALFORMED = -2

/** The content-length, -1 without one, or MALFORMED. */
function readRegular(head: ResponseHead): number {
  const { at, count, bytes, base } = head
  let length = -1
  for (let i = 0; i < count; i++) {
    const slot = i << 2
    const start = base + (at[slot] as number)
    if (bytes[start] === COLON) return MALFORMED
    switch ((at[slot + 1] as number) - (at[slot] as number)) {
      case 4:
        if (spells(bytes, start, 'date')) head.dateIndex = i
        break
      case 6:
        if (spells(bytes, start, 'server')) head.serverIndex = i
        break
      case 7:
        if (spells(bytes, start, 'upgrade')) return MALFORMED
        break
      case 10:
        if (spells(bytes, start, 'connection') || spells(bytes, start, 'keep-alive')) return MALFORMED
        break
      case 14:
        if (spells(bytes, start, 'content-length')) {
          if (length >= 0) return MALFORMED
          length = parseContentLength(head, i)
          if (length < 0) return MALFORMED
        }
        break
      case 16:
        if (spells(bytes, start, 'proxy-connection')) return MALFORMED
        break
      case 17:
        if (spells(bytes, start, 'transfer-encoding')) return MALFORMED
        break
      default:
    }
  }
  return length
}

const COLON = 58
