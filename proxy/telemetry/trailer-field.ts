/** A field of trailers that are HTTP/1.1 lines, each ended by CRLF; undefined where it is not there. */
export function trailerField(lines: string, lowerName: string): string | undefined {
  for (let start = 0; start < lines.length; ) {
    let end = lines.indexOf('\r\n', start)
    if (end < 0) end = lines.length
    const colon = start + lowerName.length
    if (lines.charCodeAt(colon) === COLON && lines.slice(start, colon).toLowerCase() === lowerName) {
      return lines.slice(colon + 1, end).trim()
    }
    start = end + 2
  }
  return undefined
}

const COLON = 58
