import { latin1 } from '../../lib/latin1.ts'
import { IS_TARGET, IS_TOKEN } from '../http1/chars.ts'
import { parseContentLength } from '../http1/field-parser.ts'
import { MAX_HEADERS, spells } from '../stream/header-block.ts'
import { FRAMING, PATHS, type RequestHead } from '../stream/message.ts'
import { takeFields } from './header-fields.ts'
import type { FieldLines } from './hpack/field-lines.ts'
import { RequestReading } from './readings.ts'

/** What a decoded field list is as a request. Malformed ones are stream errors (RFC 9113 section 8.1.1). */
export type RequestVerdict = 'ok' | 'malformed' | 'too_large' | 'bad_path' | 'bad_host' | 'expectation_failed'

/** Pseudo-header fields, as bits, to find the missing and the repeated. */
const METHOD = 1
const SCHEME = 2
const PATH = 4
const AUTHORITY = 8
const PROTOCOL = 16

/**
 * Reads a request from its decoded fields (RFC 9113 section 8.3.1, RFC 8441) into `head`, as the HTTP/1.1 request that it
 * would have been: pseudo-header fields become the start line, cookie crumbs one field, an extended CONNECT an upgrade. All lines that
 * one decoder has decoded are to be read with the same scheme and kind of peer.
 */
export function readRequest(
  lines: FieldLines,
  head: RequestHead,
  endStream: boolean,
  scheme: string,
  isPeer: boolean,
): RequestVerdict {
  // A connection's scheme and kind of peer are the same each time.
  const known = lines.kept?.reading as RequestReading | undefined
  if (known !== undefined && known.endStream === endStream) {
    known.show(lines, head)
    return 'ok'
  }
  head.clear()
  const { bytes, base, at, count } = lines
  let seen = 0
  let protocol = ''
  let i = 0
  for (; i < count; i++) {
    const slot = i << 2
    const nameStart = base + (at[slot] as number)
    if (bytes[nameStart] !== COLON) break
    const valueStart = base + (at[slot + 2] as number)
    const valueEnd = base + (at[slot + 3] as number)
    const bit = pseudoField(bytes, nameStart, (at[slot + 1] as number) - (at[slot] as number))
    if (bit === 0 || (seen & bit) !== 0) return 'malformed'
    seen |= bit
    if (bit === METHOD) {
      head.method = methodText(bytes, valueStart, valueEnd)
      if (head.method === '') return 'malformed'
    } else if (bit === PATH) {
      for (let p = valueStart; p < valueEnd; p++) if (IS_TARGET[bytes[p] as number] !== 1) return 'malformed'
      head.path = PATHS.text(bytes, valueStart, valueEnd)
    } else if (bit === AUTHORITY) head.authority = head.hostText(bytes, valueStart, valueEnd)
    else if (bit === PROTOCOL) protocol = latin1(bytes, valueStart, valueEnd)
  }
  if (count - i > MAX_HEADERS) return 'too_large'
  takeFields(lines, i, head)
  head.scheme = scheme
  // What our own proxies multiplex was HTTP/1.1 and is again.
  head.isHttp2 = !isPeer
  let verdict = checkPseudoFields(head, seen, protocol)
  if (verdict === 'ok') verdict = readRegular(head, endStream)
  if (verdict === 'ok') RequestReading.note(lines, i, head, endStream)
  return verdict
}

function pseudoField(bytes: Buffer, start: number, length: number): number {
  switch (length) {
    case 5:
      return spells(bytes, start, ':path') ? PATH : 0
    case 7:
      if (spells(bytes, start, ':method')) return METHOD
      return spells(bytes, start, ':scheme') ? SCHEME : 0
    case 9:
      return spells(bytes, start, ':protocol') ? PROTOCOL : 0
    case 10:
      return spells(bytes, start, ':authority') ? AUTHORITY : 0
    default:
      return 0
  }
}

/** The method, the commonest without making text for it; '' when it is no token. */
function methodText(bytes: Buffer, start: number, end: number): string {
  if (end - start === 3 && bytes[start] === 71 && bytes[start + 1] === 69 && bytes[start + 2] === 84) return 'GET'
  if (end - start === 4 && bytes[start] === 80 && bytes[start + 1] === 79 && bytes[start + 2] === 83) {
    if (bytes[start + 3] === 84) return 'POST'
  }
  for (let p = start; p < end; p++) if (IS_TOKEN[bytes[p] as number] !== 1) return ''
  return latin1(bytes, start, end)
}

function checkPseudoFields(head: RequestHead, seen: number, protocol: string): RequestVerdict {
  if ((seen & METHOD) === 0) return 'malformed'
  if (head.method === 'CONNECT' && protocol === '') {
    return (seen & (PATH | SCHEME)) === 0 && head.authority !== '' ? 'ok' : 'malformed'
  }
  if ((seen & (PATH | SCHEME)) !== (PATH | SCHEME) || head.path === '') return 'malformed'
  if (protocol !== '') {
    if (head.method !== 'CONNECT') return 'malformed'
    // RFC 8441 section 4: what would have been a GET with Upgrade.
    head.method = 'GET'
    head.upgrade = protocol.toLowerCase()
  }
  if (head.path.charCodeAt(0) !== SLASH && !(head.path === '*' && head.method === 'OPTIONS')) return 'malformed'
  return head.path.includes('#') ? 'bad_path' : 'ok'
}

function readRegular(head: RequestHead, endStream: boolean): RequestVerdict {
  const { at, count, bytes, base } = head
  let length = -1
  let cookies = 0
  for (let i = 0; i < count; i++) {
    const slot = i << 2
    const start = base + (at[slot] as number)
    switch ((at[slot + 1] as number) - (at[slot] as number)) {
      case 2:
        if (spells(bytes, start, 'te') && head.value(i).toLowerCase() !== 'trailers') return 'malformed'
        break
      case 4:
        if (spells(bytes, start, 'host')) {
          if (head.hostIndex >= 0) return 'malformed'
          head.hostIndex = i
        }
        break
      case 6:
        if (spells(bytes, start, 'cookie')) cookies++
        else if (spells(bytes, start, 'expect')) {
          if (head.value(i).toLowerCase() !== '100-continue') return 'expectation_failed'
          head.expectContinue = true
          head.removeAt(i)
        }
        break
      case 7:
        if (spells(bytes, start, 'upgrade')) return 'malformed'
        break
      case 10:
        if (spells(bytes, start, 'connection') || spells(bytes, start, 'keep-alive')) return 'malformed'
        break
      case 14:
        if (spells(bytes, start, 'content-length')) {
          if (length >= 0) return 'malformed'
          length = parseContentLength(head, i)
          if (length < 0) return 'malformed'
        }
        break
      case 16:
        if (spells(bytes, start, 'proxy-connection')) return 'malformed'
        break
      case 17:
        if (spells(bytes, start, 'transfer-encoding')) return 'malformed'
        break
      default:
        // Between our own proxies names may have capitals, but no field may be named like a pseudo-header field.
        if (bytes[start] === COLON) return 'malformed'
    }
  }
  if (cookies > 1) joinCookies(head)
  head.contentLength = Math.max(0, length)
  if (head.upgrade !== '' || head.method === 'CONNECT') {
    // What comes in a tunnel is no content (RFC 9110 section 9.3.6).
    if (length > 0) return 'malformed'
  } else if (endStream) {
    if (length > 0) return 'malformed'
  } else head.framing = length >= 0 ? (length > 0 ? FRAMING.length : FRAMING.none) : FRAMING.chunked
  return checkHost(head)
}

/** RFC 9113 section 8.2.3: crumbs are one field for whoever does not speak HTTP/2. */
function joinCookies(head: RequestHead): void {
  const crumbs: string[] = []
  for (let i = head.find('cookie'); i >= 0; i = head.find('cookie', i + 1)) {
    crumbs.push(head.value(i))
    head.removeAt(i)
  }
  head.append('cookie', crumbs.join('; '))
}

/** One truth on the host: `:authority`, or Host in its absence; the two must not differ (RFC 9113 section 8.3.1). */
function checkHost(head: RequestHead): RequestVerdict {
  if (head.hostIndex >= 0) {
    const host = head.value(head.hostIndex)
    if (head.authority === '') head.authority = host
    else if (host !== head.authority) return 'malformed'
  }
  return head.hasValidAuthority() ? 'ok' : 'bad_host'
}

const COLON = 58
const SLASH = 47
