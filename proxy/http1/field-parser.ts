import { type HeaderBlock, MAX_HEADERS, spells } from '../stream/header-block.ts'
import type { RequestHead, ResponseHead } from '../stream/message.ts'
import { COLON, CR, HTAB, IS_TOKEN, IS_VALUE, LF, SP } from './chars.ts'
import { HEAD_ERROR, type HeadError } from './head-error.ts'

/**
 * Parses header fields strictly (RFC 9112 section 5): no space before the colon, no folding, no bare CR or LF, no
 * control character. `start` is the first field's first byte, `end` the CR of the empty line that closes the block.
 * Offsets are stored relative to `base`. Returns undefined when all is well.
 */
export function parseFields(
  bytes: Uint8Array,
  start: number,
  end: number,
  base: number,
  into: HeaderBlock,
): HeadError | undefined {
  const at = into.at
  let pos = start
  let count = 0
  let nameLengths = 0
  let length = 0
  while (pos < end) {
    if (count === MAX_HEADERS) return HEAD_ERROR.tooManyHeaders
    const nameStart = pos
    while (IS_TOKEN[bytes[pos] as number] === 1) pos++
    // Catches a space before the colon, an empty name, a folded line and every other stray byte.
    if (bytes[pos] !== COLON || pos === nameStart) return HEAD_ERROR.invalidCharacters
    const slot = count << 2
    at[slot] = nameStart - base
    at[slot + 1] = pos - base
    nameLengths |= 1 << (pos - nameStart)
    length += pos - nameStart
    pos++
    while (bytes[pos] === SP || bytes[pos] === HTAB) pos++
    const valueStart = pos
    while (IS_VALUE[bytes[pos] as number] === 1) pos++
    if (bytes[pos] !== CR || bytes[pos + 1] !== LF) return HEAD_ERROR.invalidCharacters
    let valueEnd = pos
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--
    at[slot + 2] = valueStart - base
    at[slot + 3] = valueEnd - base
    length += valueEnd - valueStart
    pos += 2
    count++
  }
  if (pos !== end) return HEAD_ERROR.codec
  into.count = count
  into.nameLengths = nameLengths
  into.receivedLength = length
  at[count << 2] = end - base
  return undefined
}

/** The digits of the field at this index (RFC 9110 section 8.6), within the safe integers; -1 for anything else. */
export function parseContentLength({ at, bytes, base }: HeaderBlock, index: number): number {
  const start = base + (at[(index << 2) + 2] as number)
  const end = base + (at[(index << 2) + 3] as number)
  if (start === end || end - start > 15) return -1
  let value = 0
  for (let i = start; i < end; i++) {
    const digit = (bytes[i] as number) - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

/** What Connection says of the connection's life: `close` ends it, `keep-alive` revives HTTP/1.0. */
export function readConnection(head: RequestHead | ResponseHead, index: number): void {
  // In HTTP/1.1 it says what is so anyway, and must not take back a `close` of another field.
  if (head.minorVersion === 1 && isKeepAlive(head, index)) return
  for (const part of head.value(index).split(',')) {
    const token = trimWhitespace(part).toLowerCase()
    if (token === 'close') noteClose(head)
    else if (token === 'keep-alive' && head.minorVersion === 0) head.keepAlive = !head.saysClose
  }
}

function noteClose(head: RequestHead | ResponseHead): void {
  head.keepAlive = false
  head.saysClose = true
}

/** What Proxy-Connection, which nobody has defined and some believe, says of the connection's life: only `close` counts. */
export function readProxyConnection(head: RequestHead | ResponseHead, index: number): void {
  const tokens = head.value(index).split(',')
  if (tokens.some((token) => trimWhitespace(token).toLowerCase() === 'close')) noteClose(head)
}

/** The length that the field at this index gives; -1 for what is none. */
export function readContentLength(head: HeaderBlock, index: number): number {
  return hasTabBehind(head, index) ? -1 : parseContentLength(head, index)
}

/** Whether the coding at this index is `chunked` and nothing else. */
export function isChunked(head: HeaderBlock, index: number): boolean {
  return head.value(index).toLowerCase() === 'chunked' && !hasTabBehind(head, index)
}

/** Whether a tab stands behind a value. Some take it for a part of it, which for a field that frames must not matter. */
function hasTabBehind({ at, bytes, base }: HeaderBlock, index: number): boolean {
  const end = base + (at[(index + 1) << 2] as number)
  for (let i = base + (at[(index << 2) + 3] as number); i < end; i++) if (bytes[i] === HTAB) return true
  return false
}

/** The value that nearly every Connection field has, told without making anything. */
function isKeepAlive({ at, bytes, base }: HeaderBlock, index: number): boolean {
  const start = at[(index << 2) + 2] as number
  if ((at[(index << 2) + 3] as number) - start !== KEEP_ALIVE.length) return false
  return spells(bytes, base + start, KEEP_ALIVE)
}

const KEEP_ALIVE = 'keep-alive'

/**
 * Takes out what belongs to this connection only: Connection and the fields it names, Keep-Alive, Proxy-Connection,
 * TE (unless `trailers`), Upgrade, Transfer-Encoding. What a codec needs of them it has read before. An error when
 * Connection names something it must not (envoy: more than ten names, or a field that frames the message).
 */
export function removeHopByHop(head: HeaderBlock, connectionIndex: number): HeadError | undefined {
  if (connectionIndex >= 0) {
    let named = 0
    for (let i = connectionIndex; i >= 0; i = head.find('connection', i + 1)) {
      if (isKeepAlive(head, i)) {
        head.removeAt(i)
        continue
      }
      for (const part of head.value(i).split(',')) {
        const token = trimWhitespace(part).toLowerCase()
        if (token === '' || token === 'close' || token === 'keep-alive') continue
        if (++named > 10 || NEVER_NOMINATED.has(token)) return HEAD_ERROR.connectionHeaderRejected
        head.remove(token)
      }
      head.removeAt(i)
    }
  }
  return undefined
}

const NEVER_NOMINATED = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'content-type',
  'authorization',
  'cookie',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
])

/** Without the spaces and tabs at its ends. String.trim() takes more away: a no-break space is part of a token. */
export function trimWhitespace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isWhitespace(text.charCodeAt(start))) start++
  while (end > start && isWhitespace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isWhitespace(code: number): boolean {
  return code === SP || code === HTAB
}
