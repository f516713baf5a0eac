/** Bytes that must be refused. */
export interface HostileCase {
  readonly what: string
  readonly bytes: string
  readonly status: number
  /**
   * `codec`: these bytes are no request. `policy`: they are one, and the connection manager refuses it. `body`: the
   * head was good and may have gone upstream, but the request never becomes complete there.
   */
  readonly by: 'codec' | 'policy' | 'body'
}

/** A head of these lines. */
export const head = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`

export const get = (...lines: string[]) => head('GET / HTTP/1.1', 'Host: h', ...lines)
export const post = (...lines: string[]) => head('POST / HTTP/1.1', 'Host: h', ...lines)

type Row = readonly [what: string, bytes: string, status?: number]

export const codec = (...rows: Row[]): HostileCase[] =>
  rows.map(([what, bytes, status = 400]) => ({ what, bytes, status, by: 'codec' }))

export const policy = (...rows: Row[]): HostileCase[] =>
  rows.map(([what, bytes, status = 400]) => ({ what, bytes, status, by: 'policy' }))

/** Chunked bodies; the head is added. */
export const chunked = (...rows: Row[]): HostileCase[] =>
  rows.map(([what, body, status = 400]) => ({
    what,
    bytes: `${post('Transfer-Encoding: chunked')}${body}`,
    status,
    by: 'body',
  }))
