/** What an upstream says to a request, and what must become of it. */
export interface LyingAnswer {
  readonly what: string
  readonly answer: string
  /**
   * A status: the answer is refused, or (200 to 399) passed. `cut`: it had begun when it went wrong, and must not look
   * complete.
   */
  readonly becomes: number | 'cut'
  /** The upstream closes behind it. */
  readonly closes?: boolean
  readonly method?: string
}

const POISON = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON'
const ok = (...lines: string[]) => `${['HTTP/1.1 200 OK', ...lines].join('\r\n')}\r\n\r\n`
const chunks = (body: string) => ok('transfer-encoding: chunked') + body

type Row = readonly [what: string, answer: string, closes?: boolean]

const become = (becomes: LyingAnswer['becomes'], ...rows: Row[]): LyingAnswer[] =>
  rows.map(([what, answer, closes = false]) => ({ what, answer, becomes, closes }))

/** Heads that are none: a bad gateway, whatever stands behind. */
export const HEADS = become(
  502,
  ['a length and chunks', `${ok('content-length: 2', 'transfer-encoding: chunked')}0\r\n\r\n`],
  ['two lengths that differ', `${ok('content-length: 2', 'content-length: 60')}ok`],
  ['two lengths alike', `${ok('content-length: 2', 'content-length: 2')}ok`],
  ['a list of lengths', `${ok('content-length: 2, 2')}ok`],
  ['a length with a plus', `${ok('content-length: +2')}ok`],
  ['a length beyond the safe integers', `${ok('content-length: 9007199254740993')}ok`],
  ['a coding that is not chunked', `${ok('transfer-encoding: gzip, chunked')}0\r\n\r\n`],
  ['chunked twice', `${ok('transfer-encoding: chunked', 'transfer-encoding: chunked')}0\r\n\r\n`],
  ['identity', `${ok('transfer-encoding: identity')}ok`],
  ['chunks in a 204', 'HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['chunks in an interim answer', 'HTTP/1.1 103 Early Hints\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a folded field', `${ok('a: b', ' c', 'content-length: 2')}ok`],
  ['a bare carriage return in a value', `${ok('a: b\rset-cookie: c', 'content-length: 2')}ok`],
  ['a bare line feed in a value', `${ok('a: b\nset-cookie: c', 'content-length: 2')}ok`],
  ['a NUL in a value', `${ok('a: b\0', 'content-length: 2')}ok`],
  ['a NUL in the reason', 'HTTP/1.1 200 O\0K\r\ncontent-length: 2\r\n\r\nok'],
  ['a bare carriage return in the reason', 'HTTP/1.1 200 O\rK\r\ncontent-length: 2\r\n\r\nok'],
  ['line feeds only', 'HTTP/1.1 200 OK\ncontent-length: 2\n\nok'],
  ['a space before the colon', `${ok('content-length : 2')}ok`],
  ['an empty name', `${ok(': a', 'content-length: 2')}ok`],
  ['a Connection that names the length', `${ok('connection: content-length', 'content-length: 2')}ok`],
  ['101 fields', `${ok(...Array.from({ length: 101 }, (_, i) => `a${i}: b`))}`],
  ['a head of 100 KiB at once', `${ok(`a: ${'b'.repeat(100 * 1024)}`, 'content-length: 2')}ok`],
  ['a head without an end', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(200 * 1024)}`],
  ['status 99', 'HTTP/1.1 099 OK\r\ncontent-length: 2\r\n\r\nok'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nok'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nok'],
  ['a status with a sign', 'HTTP/1.1 +20 OK\r\ncontent-length: 2\r\n\r\nok'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\ncontent-length: 2\r\n\r\nok'],
  ['ICY', 'ICY 200 OK\r\ncontent-length: 2\r\n\r\nok'],
  ['no status line', 'content-length: 2\r\n\r\nok'],
  ['an empty line before the status', `\r\n${ok('content-length: 2')}ok`],
  ['a request', 'GET / HTTP/1.1\r\nhost: h\r\n\r\n'],
  ['101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\n\r\nPOISON'],
  [
    '101 with an Upgrade',
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nPOISON',
  ],
  ['interim answers without an end', 'HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n'.repeat(10_000)],
)

export const CLOSES = become(
  503,
  ['nothing', '', true],
  ['half a status line', 'HTTP/1.1 20', true],
  ['half a head', 'HTTP/1.1 200 OK\r\ncontent-len', true],
  ['interim answers only', 'HTTP/1.1 103 Early Hints\r\n\r\n', true],
)

export const CUTS = become(
  'cut',
  ['a body shorter than said', `${ok('content-length: 60')}ok`, true],
  ['a chunk shorter than said', chunks('a\r\nok'), true],
  ['chunks without the last', chunks('2\r\nok\r\n'), true],
  ['a last chunk without its end', chunks('2\r\nok\r\n0\r\n'), true],
  ['data longer than its chunk', chunks('2\r\nokPOISON\r\n0\r\n\r\n')],
  ['a size with 0x', chunks('2\r\nok\r\n0x2\r\nok\r\n0\r\n\r\n')],
  ['a size with a space', chunks('2\r\nok\r\n2 \r\nok\r\n0\r\n\r\n')],
  ['a size that overflows', chunks('2\r\nok\r\n10000000000000002\r\nok\r\n0\r\n\r\n')],
  ['a line feed behind a size', chunks('2\r\nok\r\n2\nok\r\n0\r\n\r\n')],
  ['an extension without an end', chunks(`2\r\nok\r\n2;${'a'.repeat(20_000)}`)],
  ['trailers without an end', chunks(`2\r\nok\r\n0\r\n${'a: b\r\n'.repeat(3000)}`)],
  ['a trailer that frames', chunks('2\r\nok\r\n0\r\ncontent-length: 2\r\n\r\n')],
  ['a trailer with a line feed', chunks('2\r\nok\r\n0\r\na: b\nc: d\r\n\r\n')],
)

/** Good answers with more behind them, which belongs to nobody. */
export const MORE: readonly LyingAnswer[] = [
  ...become(
    200,
    ['another answer behind a length', `${ok('content-length: 2')}ok${POISON}`],
    ['another answer behind an empty one', `${ok('content-length: 0')}${POISON}`],
    ['another answer behind chunks', `${chunks('2\r\nok\r\n0\r\n\r\n')}${POISON}`],
    ['half an answer behind chunks', `${chunks('2\r\nok\r\n0\r\n\r\n')}HTTP/1.1 200 OK\r\nset-cookie: POISON`],
    ['interim answers before it', `HTTP/1.1 103 Early Hints\r\nlink: POISON\r\n\r\n${ok('content-length: 2')}ok`],
    [
      'chunks as HTTP/1.0',
      `HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${POISON}`,
    ],
  ),
  ...become(204, ['a body behind a 204', 'HTTP/1.1 204 No Content\r\ncontent-length: 6\r\n\r\nPOISON']),
  ...become(304, ['a body behind a 304', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 6\r\n\r\nPOISON']),
  ...become(200, ['a body for a HEAD', `${ok('content-length: 6')}POISON`]).map((one) => ({ ...one, method: 'HEAD' })),
]
