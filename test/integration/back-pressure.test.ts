import { type IncomingMessage, request as requestHttp1, type ServerResponse } from 'node:http'
import { connect } from 'node:http2'
import { Readable, type Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { BothServer, type Protocol } from '../support/http-both.ts'
import { ProxyProcess } from '../support/proxy-process.ts'

/*
 * A side that stalls holds the other one back: what the proxy holds meanwhile is its buffers and not the body, and in the
 * end every byte has arrived.
 */

const MIB = 1024 * 1024
/** 256 MiB, or a whole GiB when time does not matter. */
const BODY_BYTES = process.env.LATEEN_TEST_LONG ? 1024 * MIB : 256 * MIB
const STALL_MS = 1_500
/** What a proxy that does not pause would be far beyond: in that time it reads hundreds of MiB. */
const HELD_BYTES = 24 * MIB
const PIECE = Buffer.alloc(64 * 1024, 'lateen')
const TIMEOUT_MS = 120_000

const PAIRS = [
  ['http1', 'http1'],
  ['http2', 'http2'],
  ['http1', 'http2'],
  ['http2', 'http1'],
] as const satisfies readonly (readonly [Protocol, Protocol])[]

/** So many bytes, made as they are asked for. */
function generated(bytes: number): Readable {
  let left = bytes
  return new Readable({
    highWaterMark: PIECE.length,
    read() {
      const piece = left >= PIECE.length ? PIECE : PIECE.subarray(0, left)
      left -= piece.length
      this.push(piece.length === 0 ? null : piece)
    },
  })
}

/** Takes a little, stalls, then takes the rest. Tells how much came. */
async function readLate(source: Readable, whileStalled: () => void): Promise<number> {
  let bytes = 0
  let hasStalled = false
  for await (const chunk of source) {
    bytes += (chunk as Buffer).length
    if (hasStalled || bytes < MIB) continue
    hasStalled = true
    await pause(STALL_MS)
    whileStalled()
  }
  return bytes
}

/** A POST that takes its body from `body`, or a GET. Its answer is the stream that comes. */
function ask(protocol: Protocol, port: number, body: Readable | undefined): Promise<{ answer: Readable; end(): void }> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST'
    let sent: Writable
    if (protocol === 'http1') {
      const request = requestHttp1({ host: '127.0.0.1', port, method, agent: false })
      request.on('response', (answer) => resolve({ answer, end: () => request.destroy() }))
      sent = request
    } else {
      const session = connect(`http://127.0.0.1:${port}`)
      session.on('error', reject)
      const stream = session.request({ ':method': method, ':path': '/' }, { endStream: body === undefined })
      stream.on('response', () => resolve({ answer: stream, end: () => session.destroy() }))
      sent = stream
    }
    sent.on('error', reject)
    if (body !== undefined) body.pipe(sent)
    else if (protocol === 'http1') sent.end()
  })
}

describe.each(PAIRS)('%s to %s', (downstream, upstream) => {
  let server: BothServer
  let proxy: ProxyProcess
  let handle: (request: IncomingMessage, response: ServerResponse) => void
  let grownBytes: number

  beforeEach(async () => {
    server = new BothServer(upstream, (request, response) => handle(request, response))
    proxy = await ProxyProcess.start({ upstreams: [await server.listen()], upstreamProtocol: upstream })
    grownBytes = -1
    // The first request makes what is made once.
    handle = (request, response) => request.resume().on('end', () => response.end())
    const { answer, end } = await ask(downstream, proxy.port, generated(8 * MIB))
    await readLate(answer, () => {})
    end()
  }, TIMEOUT_MS)

  afterEach(async () => {
    server.close()
    await proxy.stop()
  })

  test(
    'a client that stalls',
    async () => {
      const before = proxy.residentBytes
      handle = (_request, response) => void generated(BODY_BYTES).pipe(response)
      const { answer, end } = await ask(downstream, proxy.port, undefined)
      const bytes = await readLate(answer, () => {
        grownBytes = proxy.residentBytes - before
      })
      end()
      expect(bytes).toBe(BODY_BYTES)
      expect(grownBytes).toBeGreaterThanOrEqual(-HELD_BYTES)
      expect(grownBytes).toBeLessThan(HELD_BYTES)
      expect(proxy.errors).not.toContain('bug')
    },
    TIMEOUT_MS,
  )

  test(
    'an upstream that stalls',
    async () => {
      const before = proxy.residentBytes
      handle = async (request, response) => {
        const bytes = await readLate(request, () => {
          grownBytes = proxy.residentBytes - before
        })
        response.end(String(bytes))
      }
      const { answer, end } = await ask(downstream, proxy.port, generated(BODY_BYTES))
      const told = await answer.toArray()
      end()
      expect(Number(Buffer.concat(told as Buffer[]).toString())).toBe(BODY_BYTES)
      expect(grownBytes).toBeGreaterThanOrEqual(-HELD_BYTES)
      expect(grownBytes).toBeLessThan(HELD_BYTES)
      expect(proxy.errors).not.toContain('bug')
    },
    TIMEOUT_MS,
  )
})
