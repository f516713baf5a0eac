import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { randomInt, systemRandom } from '../../lib/random.ts'
import { FLAG, FRAME } from '../../proxy/http2/frame.ts'
import { eventually } from '../support/eventually.ts'
import { BothServer, type Protocol } from '../support/http-both.ts'
import { request as asRequestOf, data, headers, RawHttp2, reset, windowUpdate } from '../support/raw-http2.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/**
 * Exchanges that either side breaks off at any stage, many at a time on shared connections. Each ends; none that was
 * broken looks whole; none that was not suffers; nothing is left in the proxy.
 */

const STAGES = ['head', 'body', 'answer', 'data', 'never'] as const
type Stage = (typeof STAGES)[number]
const PIECES = 4
const PIECE = Buffer.alloc(3000, 'x')
/** Of RST_STREAM: NO_ERROR says after a whole answer only, and REFUSED_STREAM asks for another try. */
const CODES = [1, 2, 7, 8, 11]

interface Script {
  client: Stage
  server: Stage
  code: number
}

const script = fc.record({
  client: fc.constantFrom<Stage>(...STAGES, 'never', 'never'),
  server: fc.constantFrom<Stage>(...STAGES, 'never', 'never'),
  code: fc.constantFrom(...CODES),
})

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const RUNS = 40

const asRequest = (path: string) => asRequestOf('POST', path)

/** `whole`, a status over 499, or `broken`. */
type Outcome = string

describe.each([
  ['http2', 'http2'],
  ['http2', 'http1'],
  ['http1', 'http2'],
] as const)('%s to %s', (downstream: Protocol, upstream: Protocol) => {
  let server: BothServer
  let proxy: StaticProxy
  let session: RawHttp2
  let nextStream = 1
  let open = 0

  beforeAll(async () => {
    server = new BothServer(upstream, serve)
    proxy = await StaticProxy.start({ upstreams: [await server.listen()], upstreamProtocol: upstream })
    session = new RawHttp2(proxy.port)
    session.send(windowUpdate(0, 2 ** 30))
    nextStream = 1
  })

  afterAll(async () => {
    session.close()
    server.close()
    await proxy.stop()
  })

  function serve(asked: IncomingMessage, response: ServerResponse): void {
    const [stage, code] = (asked.url ?? '').slice(1).split('/') as [Stage, string]
    open++
    response.on('close', () => open--)
    asked.on('error', () => {})
    response.on('error', () => {})
    const breaksAt = (now: Stage) => {
      if (stage !== now) return false
      if (upstream === 'http1') asked.socket.destroy()
      else (response as unknown as Http2ServerResponse).stream?.close(Number(code))
      return true
    }
    if (breaksAt('head')) return
    asked.once('data', () => breaksAt('body'))
    asked.on('end', () => {
      response.writeHead(200)
      response.flushHeaders()
      if (breaksAt('answer')) return
      response.write(PIECE)
      setImmediate(() => {
        if (breaksAt('data') || response.destroyed) return
        for (let i = 1; i < PIECES; i++) response.write(PIECE)
        response.end()
      })
    })
    asked.resume()
  }

  const play = (it: Script) => (downstream === 'http2' ? overHttp2(it) : overHttp1(it))

  /** By bytes: node:http2 itself breaks, and its process with it, when streams are closed in the middle of a write. */
  async function overHttp2({ client, server: at, code }: Script): Promise<Outcome> {
    const id = nextStream
    nextStream += 2
    const frames = () => session.frames.filter(({ streamId }) => streamId === id)
    const seen = (type: number) => frames().some((one) => one.type === type)
    let isBroken = false
    const breaksAt = (now: Stage) => {
      if (client !== now) return false
      session.send(reset(id, code))
      isBroken = true
      return true
    }
    session.send(headers(id, 0, asRequest(`/${at}/${code}`)))
    if (breaksAt('head')) return 'broken'
    session.send(data(id, PIECE))
    if (breaksAt('body')) return 'broken'
    for (let i = 1; i < PIECES; i++) session.send(data(id, PIECE, i === PIECES - 1 ? FLAG.endStream : 0))
    await eventually(() => {
      if (seen(FRAME.headers)) breaksAt('answer')
      if (seen(FRAME.data)) breaksAt('data')
      expect(isBroken || session.isEnded(id) || session.resetOf(id) !== undefined || session.isClosed).toBe(true)
    })
    const bytes = frames().reduce((sum, { type, payload }) => sum + (type === FRAME.data ? payload.length : 0), 0)
    return outcome(Number(session.statusOf(id)), bytes, session.isEnded(id))
  }

  function overHttp1({ client, server: at, code }: Script): Promise<Outcome> {
    return new Promise((resolve) => {
      const sent = request({
        host: '127.0.0.1',
        port: proxy.port,
        method: 'POST',
        path: `/${at}/${code}`,
        agent: false,
      })
      const breaksAt = (now: Stage) => {
        if (client === now) sent.destroy()
        return client === now
      }
      sent.on('error', () => resolve('broken'))
      sent.on('response', (response) => {
        let bytes = 0
        if (breaksAt('answer')) return
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          breaksAt('data')
        })
        response.on('error', () => resolve('broken'))
        response.on('close', () => resolve(outcome(response.statusCode ?? 0, bytes, response.complete)))
      })
      sent.on('close', () => resolve('broken'))
      sent.flushHeaders()
      if (breaksAt('head')) return
      sent.write(PIECE)
      if (breaksAt('body')) return
      for (let i = 1; i < PIECES; i++) sent.write(PIECE)
      sent.end()
    })
  }

  test(`seed ${seed}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(script, { minLength: 1, maxLength: 30 }), async (scripts) => {
        const outcomes = await Promise.all(scripts.map(play))
        for (const [i, { client, server: at }] of scripts.entries()) {
          const seen = outcomes[i] as Outcome
          if (client !== 'never') continue
          if (at === 'never') expect(seen).toBe('whole')
          else expect([at, seen]).not.toEqual([at, 'whole'])
          // What the upstream broke off before it answered is an answer of ours.
          if (at === 'head' || (at === 'body' && downstream === 'http2')) expect(seen).toMatch(/^50[23]$/)
        }
        await eventually(() => {
          expect(open).toBe(0)
          expect(proxy.metric('http.downstream_rq_active')).toBe(0)
          expect(proxy.metric('cluster.upstream_rq_active')).toBe(0)
          expect(proxy.metric('cluster.upstream_rq_pending_active')).toBe(0)
        })
        // Neither side found the other's connection at fault.
        expect(session.goaway).toBeUndefined()
        session.frames.length = 0
        expect(proxy.metric('http2.protocol_error')).toBe(0)
        expect(proxy.metric('cluster.http2.protocol_error')).toBe(0)
      }),
      { seed, numRuns: RUNS, endOnFailure: true },
    )
  }, 60_000)
})

function outcome(status: number, bytes: number, isComplete: boolean): Outcome {
  if (status >= 500) return String(status)
  return status === 200 && isComplete && bytes === PIECES * PIECE.length ? 'whole' : 'broken'
}
