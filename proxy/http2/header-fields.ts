import type { FieldBatch } from '../stream/field-batch.ts'
import type { HeaderBlock } from '../stream/header-block.ts'
import type { ByteSink } from './hpack/byte-sink.ts'
import type { HpackEncoder } from './hpack/encoder.ts'
import type { FieldLines } from './hpack/field-lines.ts'

/** Takes the decoded fields from index `from` on into a message's block: as offsets into the same bytes. */
export function takeFields(lines: FieldLines, from: number, into: HeaderBlock): void {
  const { at, view } = lines
  const count = lines.count - from
  into.bytes = lines.bytes
  into.view = view
  into.base = lines.base
  into.count = count
  const target = into.at
  for (let i = from << 2, to = 0; i <= lines.count << 2; i++, to++) target[to] = at[i] as number
  // None of those that are kept is.
  if (lines.kept !== undefined) return
  for (let i = from; i < lines.count; i++) {
    if (lines.neverIndexed[i] === 0) continue
    into.neverIndexed[i - from] = 1
    into.hasNeverIndexed = true
  }
}

/** Encodes every field that is left, in order, but for the received one at index `except`. */
export function encodeFields(
  fields: HeaderBlock,
  encoder: HpackEncoder,
  block: ByteSink,
  keepsCase: boolean,
  except: number,
): void {
  const { at, count, bytes, view, base, hasNeverIndexed, neverIndexed } = fields
  for (let i = 0; i < count; i++) {
    if (i === except || fields.isRemoved(i)) continue
    const slot = i << 2
    encoder.bytes(
      block,
      bytes,
      view,
      base + (at[slot] as number),
      base + (at[slot + 1] as number),
      base + (at[slot + 2] as number),
      base + (at[slot + 3] as number),
      !keepsCase,
      hasNeverIndexed && neverIndexed[i] === 1,
    )
  }
  const added = fields.addedCount
  for (let i = 0; i < added; i++) {
    const batch = fields.addedBatch(i)
    if (batch === undefined) encoder.text(block, fields.addedName(i), fields.addedValue(i), !keepsCase)
    else encodeLine(batch, fields.addedLine(i), encoder, block)
  }
}

/** Names of batches are in lower case. */
function encodeLine(batch: FieldBatch, line: number, encoder: HpackEncoder, block: ByteSink): void {
  const { lines, view, name, valueOffset, valueLength } = batch
  const start = line + valueOffset
  encoder.bytes(block, lines, view, line, line + name.length, start, start + valueLength, false)
}

/** Encodes trailers, which come as HTTP/1.1 lines, each ended by CRLF. */
export function writeTrailers(encoder: HpackEncoder, block: ByteSink, lines: string, keepsCase: boolean): void {
  block.end = 0
  encoder.begin(block)
  for (let at = 0; at < lines.length; ) {
    const lineEnd = lines.indexOf('\r\n', at)
    const colon = lines.indexOf(':', at)
    encoder.text(block, lines.slice(at, colon), lines.slice(colon + 1, lineEnd).trim(), !keepsCase)
    at = lineEnd + 2
  }
}

/** The decoded fields as HTTP/1.1 lines, for trailers; undefined when a pseudo-header field is among them. */
export function trailerLines(lines: FieldLines): string | undefined {
  const { bytes, base, end, at, count } = lines
  for (let i = 0; i < count; i++) if (bytes[base + (at[i << 2] as number)] === COLON) return undefined
  return bytes.toString('latin1', base, end)
}

const COLON = 58
