/** One document of a YAML stream, with the marker line that opens it. */
export interface DocumentText {
  text: string
  /** The line (from 1) of the file on which `text` begins. */
  firstLine: number
}

/**
 * Splits a YAML stream at its document markers, so that a document that is no YAML takes none of its neighbours with
 * it. YAML forbids `---` and `...` at the beginning of a line anywhere inside a document (YAML 1.2.2, rule 206
 * c-forbidden), so no knowledge of the content is needed. Directives (`%YAML`) are dropped.
 */
export function splitDocuments(stream: string): DocumentText[] {
  const documents: DocumentText[] = []
  let text = ''
  let firstLine = 1
  let line = 1
  let inDocument = false
  const flush = () => {
    if (text.trim() !== '') documents.push({ text, firstLine })
    text = ''
  }
  let at = stream.charCodeAt(0) === 0xfeff ? 1 : 0
  let copiedTo = at
  while (at < stream.length) {
    const newline = stream.indexOf('\n', at)
    const end = newline < 0 ? stream.length : newline + 1
    if (isMarker(stream, at, '---')) {
      text += stream.slice(copiedTo, at)
      flush()
      firstLine = line
      copiedTo = at
      inDocument = true
    } else if (isMarker(stream, at, '...')) {
      text += stream.slice(copiedTo, at)
      flush()
      firstLine = line + 1
      copiedTo = end
      inDocument = false
    } else if (stream[at] === '%' && !inDocument) {
      text += stream.slice(copiedTo, at)
      flush()
      firstLine = line + 1
      copiedTo = end
    } else if (!inDocument && !isBlankOrComment(stream, at, end)) {
      inDocument = true
    }
    at = end
    line++
  }
  text += stream.slice(copiedTo)
  flush()
  return documents
}

function isMarker(stream: string, at: number, marker: string): boolean {
  if (!stream.startsWith(marker, at)) return false
  const next = stream[at + 3]
  return next === undefined || next === '\n' || next === '\r' || next === ' ' || next === '\t'
}

function isBlankOrComment(stream: string, at: number, end: number): boolean {
  while (at < end && (stream[at] === ' ' || stream[at] === '\t' || stream[at] === '\r' || stream[at] === '\n')) at++
  return at >= end || stream[at] === '#'
}
