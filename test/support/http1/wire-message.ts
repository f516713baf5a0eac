/** A message as a reader took it from the bytes of a connection: what must not differ between two readers. */
export interface WireMessage {
  /** `GET /a HTTP/1.1`, or `HTTP/1.1 200`. */
  start: string
  /** Names and values in turn, as received. */
  fields: string[]
  body: string
  trailers: string[]
  isComplete: boolean
  keepAlive: boolean
  /** What follows belongs to another protocol. */
  isUpgrade: boolean
}

/** All that was read of a connection, and why no more. */
export interface Reading {
  messages: WireMessage[]
  /** Why the next byte was refused; '' when none was. */
  refusal: string
}

export function newMessage(start: string, fields: string[], keepAlive: boolean): WireMessage {
  return { start, fields, body: '', trailers: [], isComplete: false, keepAlive, isUpgrade: false }
}

/** Names and values of trailer lines, each ended by CRLF. */
export function fieldsOfLines(lines: string): string[] {
  return lines
    .split('\r\n')
    .slice(0, -1)
    .flatMap((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]
    })
}
