import type { IncomingMessage, ServerResponse } from 'node:http'
import { Http2ServerResponse } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Asked, BothClient, BothServer, type Protocol } from '../support/http-both.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/** Messages of every shape, over every pair of protocols that the proxy may have on its two sides. */

const PAIRS = [
  ['http1', 'http1'],
  ['http1', 'http2'],
  ['http2', 'http1'],
  ['http2', 'http2'],
] as const satisfies readonly (readonly [Protocol, Protocol])[]

/** What the upstream has received. */
interface Received {
  method: string
  path: string
  rawHeaders: string[]
  headers: Record<string, string>
  body: string
  trailers: Record<string, string>
}

function echo(request: IncomingMessage, response: ServerResponse, respond: (received: Received) => void): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('error', () => {})
  response.on('error', () => {})
  request.on('end', () =>
    respond({
      method: request.method ?? '',
      path: request.url ?? '',
      rawHeaders: request.rawHeaders,
      headers: request.headers as Record<string, string>,
      body: Buffer.concat(chunks).toString('latin1'),
      trailers: request.trailers as Record<string, string>,
    }),
  )
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const [what = '', argument = ''] = (request.url ?? '').slice(1).split('/')
  switch (what) {
    case 'status':
      request.resume()
      response.writeHead(Number(argument), { 'x-from': 'upstream' }).end()
      return
    case 'bare':
      // Over HTTP/2 the head ends the stream, and says nothing of a length.
      request.resume()
      if (response instanceof Http2ServerResponse) response.stream.respond({ ':status': 200 }, { endStream: true })
      else response.end()
      return
    case 'length':
      request.resume()
      response
        .writeHead(200, { 'content-length': argument })
        .end(request.method === 'HEAD' ? '' : 'x'.repeat(Number(argument)))
      return
    case 'pieces':
      request.resume()
      for (let i = 0; i < Number(argument); i++) response.write(`${i} `)
      response.end()
      return
    case 'trailers':
      request.resume()
      response.writeHead(200, { trailer: 'x-sum' })
      response.write('body')
      response.addTrailers({ 'x-sum': '42' })
      response.end()
      return
    case 'hints':
      request.resume()
      response.writeEarlyHints({ link: '</a>; rel=preload' })
      response.end('final')
      return
    case 'early':
      // The request is not over, and is not read.
      response.writeHead(413).end('too much')
      return
    default:
      echo(request, response, (received) => {
        const body = JSON.stringify(received)
        response.writeHead(200, { 'content-type': 'application/json', 'X-Mixed-Case': 'yes' }).end(body)
      })
  }
}

describe.each(PAIRS)('%s to %s', (downstream, upstream) => {
  let server: BothServer
  let proxy: StaticProxy
  let client: BothClient

  beforeAll(async () => {
    server = new BothServer(upstream, serve)
    proxy = await StaticProxy.start({ upstreams: [await server.listen()], upstreamProtocol: upstream })
    client = new BothClient(downstream, proxy.port)
  })

  afterAll(async () => {
    client.close()
    server.close()
    await proxy.stop()
  })

  const received = async (asked: Asked) => {
    const { status, body } = await client.ask({ path: '/echo', ...asked })
    expect(status).toBe(200)
    return JSON.parse(body.toString()) as Received
  }
  const pieces = ['one ', 'two ', 'three'].map((text) => Buffer.from(text))

  test('a body of known length, one in pieces, an empty one and none', async () => {
    const known = await received({ method: 'POST', headers: { 'content-length': '13' }, body: pieces })
    expect([known.body, known.headers['content-length']]).toEqual(['one two three', '13'])
    expect((await received({ method: 'POST', body: pieces })).body).toBe('one two three')
    const empty = await received({ method: 'POST', headers: { 'content-length': '0' } })
    expect([empty.body, empty.headers['content-length']]).toEqual(['', '0'])
    expect((await received({ method: 'POST', headers: { 'content-length': '0' }, body: [] })).body).toBe('')
    expect(await received({})).toMatchObject({ method: 'GET', body: '' })
    expect((await received({})).headers).not.toHaveProperty('transfer-encoding')
  })

  test('a large body each way', async () => {
    const large = Array.from({ length: 64 }, (_, i) => Buffer.alloc(50_000, 97 + (i % 26)))
    const { body } = await received({ method: 'POST', body: large })
    expect(body.length).toBe(3_200_000)
    expect(body).toBe(Buffer.concat(large).toString())
  })

  test('answers of known length, in pieces and empty', async () => {
    const known = await client.ask({ path: '/length/5000' })
    expect([known.body.length, known.headers['content-length']]).toEqual([5000, '5000'])
    const streamed = await client.ask({ path: '/pieces/100' })
    expect(streamed.body.toString()).toBe(Array.from({ length: 100 }, (_, i) => `${i} `).join(''))
    expect(streamed.headers).not.toHaveProperty('content-length')
    const empty = await client.ask({ path: '/status/200' })
    expect([empty.status, empty.body.length, empty.headers['x-from']]).toEqual([200, 0, 'upstream'])
    const bare = await client.ask({ path: '/bare' })
    expect([bare.status, bare.body.length]).toEqual([200, 0])
  })

  test('HEAD, 204 and 304 have no body, whatever their fields say', async () => {
    const head = await client.ask({ method: 'HEAD', path: '/length/5000' })
    expect([head.status, head.body.length, head.headers['content-length']]).toEqual([200, 0, '5000'])
    for (const status of [204, 304]) {
      const answer = await client.ask({ path: `/status/${status}` })
      expect([answer.status, answer.body.length]).toEqual([status, 0])
      expect(answer.headers).not.toHaveProperty('transfer-encoding')
      expect(answer.headers).not.toHaveProperty('content-length')
    }
    // The connection is in step after all of them.
    expect((await client.ask({ path: '/pieces/2' })).body.toString()).toBe('0 1 ')
  })

  test('trailers both ways', async () => {
    const sent = await received({
      method: 'POST',
      body: pieces,
      headers: { te: 'trailers' },
      trailers: { 'x-check': 'sum' },
    })
    expect([sent.body, sent.trailers]).toEqual(['one two three', { 'x-check': 'sum' }])
    const answer = await client.ask({ path: '/trailers' })
    expect([answer.body.toString(), answer.trailers]).toMatchObject(['body', { 'x-sum': '42' }])
  })

  test('interim answers are kept from the client, and its 100-continue is answered', async () => {
    const hints = await client.ask({ path: '/hints' })
    expect([hints.status, hints.body.toString(), hints.interim]).toEqual([200, 'final', []])
    const expected = await client.ask({
      method: 'POST',
      path: '/echo',
      headers: { expect: '100-continue', 'content-length': '13' },
      body: pieces,
      after: 'continue',
    })
    expect(expected.interim).toEqual([100])
    const echoed = JSON.parse(expected.body.toString()) as Received
    expect(echoed.body).toBe('one two three')
    expect(echoed.headers).not.toHaveProperty('expect')
  })

  test('cookies are one field, and several fields of a name stay what they are', async () => {
    const { headers, rawHeaders } = await received({
      headers: { cookie: downstream === 'http2' ? ['a=1', 'b=2', 'c=3'] : 'a=1; b=2; c=3', 'x-many': ['1', '2'] },
    })
    expect(headers.cookie).toBe('a=1; b=2; c=3')
    expect(rawHeaders.filter((name) => name.toLowerCase() === 'cookie')).toHaveLength(1)
    expect(headers['x-many']).toBe('1, 2')
  })

  test("names are lower-case over HTTP/2, connection's own fields do not pass", async () => {
    const own: Asked['headers'] =
      downstream === 'http1' ? { connection: 'keep-alive, x-hop', 'x-hop': 'gone', 'keep-alive': 'timeout=5' } : {}
    const { rawHeaders, headers } = await received({ headers: { 'X-Mixed-Case': 'a', ...own } })
    const names = rawHeaders.filter((_, i) => i % 2 === 0)
    if (upstream === 'http2') expect(names).toEqual(names.map((name) => name.toLowerCase()))
    else if (downstream === 'http1') expect(names).toContain('X-Mixed-Case')
    for (const name of ['x-hop', 'keep-alive', 'te']) expect(headers).not.toHaveProperty(name)
    const answer = await client.ask({ path: '/echo' })
    expect(answer.headers['x-mixed-case']).toBe('yes')
  })

  test('the authority is the host on either side', async () => {
    const host: Asked['headers'] =
      downstream === 'http1' ? { host: 'shop.example:81' } : { ':authority': 'shop.example:81' }
    const { headers, path } = await received({ path: '/echo?q=%20a', headers: host })
    expect(upstream === 'http1' ? headers.host : headers[':authority']).toBe('shop.example:81')
    expect(path).toBe('/echo?q=%20a')
  })

  test('an answer before the request is over', async () => {
    const answer = await client
      .ask({
        method: 'POST',
        path: '/early',
        headers: { 'content-length': '1000000' },
        body: [Buffer.alloc(10)],
        after: 'response',
      })
      .catch((error: Error) => error)
    // HTTP/1.1 closes after it: what the client wrote meanwhile may have been met by a reset.
    if (answer instanceof Error) expect(downstream).toBe('http1')
    else expect([answer.status, answer.body.toString()]).toEqual([413, 'too much'])
    expect((await client.ask({ path: '/pieces/2' })).body.toString()).toBe('0 1 ')
  })

  test('a hundred requests at a time, none mixed up with another', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        received({ method: 'POST', path: `/echo/${i}`, body: [Buffer.from(`body ${i}`)] }),
      ),
    )
    expect(answers.map(({ path, body }) => `${path} ${body}`)).toEqual(answers.map((_, i) => `/echo/${i} body ${i}`))
  })
})
