import { execFile } from 'node:child_process'
import { connect } from 'node:http2'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { GrpcEcho } from '../support/grpc-echo.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/** gRPC clients written in Go, and what the proxy's own answers to gRPC calls look like on the wire. */

const run = promisify(execFile)
const protoDir = join(dirname(fileURLToPath(import.meta.url)), '../support')
const grpcurl = peerOrSkip('grpcurl')
const ghz = peerOrSkip('ghz')

let echo: GrpcEcho
let proxy: StaticProxy

beforeAll(async () => {
  echo = new GrpcEcho()
  proxy = await StaticProxy.start({ upstreams: [await echo.listen()], upstreamProtocol: 'http2' })
})

afterAll(async () => {
  echo.close()
  await proxy.stop()
})

const withGrpcurl = grpcurl === undefined ? test.skip : test

withGrpcurl('grpcurl calls and chats', async () => {
  const call = async (method: string, data: string) => {
    const args = ['-plaintext', '-import-path', protoDir, '-proto', 'echo.proto', '-d', data]
    const { stdout } = await run(grpcurl as string, [...args, `127.0.0.1:${proxy.port}`, `test.Echo/${method}`])
    return stdout.replaceAll(/\s/g, '')
  }
  expect(await call('unary', '{"text":"hello"}')).toBe('{"text":"hello"}')
  expect(await call('chat', '{"text":"a"}{"text":"b"}')).toBe('{"text":"a"}{"text":"b"}')
})

withGrpcurl('grpcurl is told of an error', async () => {
  const args = ['-plaintext', '-import-path', protoDir, '-proto', 'echo.proto', '-d', '{}', '-H', 'fail: 7']
  const failed = run(grpcurl as string, [...args, `127.0.0.1:${proxy.port}`, 'test.Echo/unary'])
  await expect(failed).rejects.toMatchObject({ stderr: expect.stringContaining('Code: PermissionDenied') })
})

const withGhz = ghz === undefined ? test.skip : test

withGhz(
  'ghz gets every one of 10,000 calls answered',
  async () => {
    const args = [
      '--insecure',
      '--proto',
      join(protoDir, 'echo.proto'),
      '--call',
      'test.Echo.unary',
      '-d',
      '{"text":"x"}',
    ]
    const load = ['-n', '10000', '-c', '100', '--connections', '4', '-O', 'json', `127.0.0.1:${proxy.port}`]
    const { stdout } = await run(ghz as string, [...args, ...load], { maxBuffer: 64 * 1024 * 1024 })
    const { statusCodeDistribution } = JSON.parse(stdout) as { statusCodeDistribution: Record<string, number> }
    expect(statusCodeDistribution).toEqual({ OK: 10_000 })
  },
  60_000,
)

/** HTTP status of an answer of our own, and the gRPC status that stands for it (envoy.md 2.9). */
const MAPPING = [
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
  [500, 2],
  [418, 2],
] as const

test('an answer of our own to a gRPC call is status 200 with its outcome, and nothing else', async () => {
  const FAULT = 'envoy.extensions.filters.http.fault.v3.HTTPFault'
  const ROUTER = 'envoy.extensions.filters.http.router.v3.Router'
  for (const [http, grpc] of MAPPING) {
    const fault = {
      '@type': `type.googleapis.com/${FAULT}`,
      abort: { http_status: http, percentage: { numerator: 100 } },
    }
    const filters = [
      { name: 'fault', typed_config: fault },
      { name: 'router', typed_config: { '@type': `type.googleapis.com/${ROUTER}` } },
    ]
    const aborting = await StaticProxy.start({ upstreams: [1], manager: { http_filters: filters } })
    try {
      const { headers, frames } = await ask(aborting.port)
      expect(headers[':status']).toBe(200)
      expect(headers['content-type']).toBe('application/grpc')
      expect([http, headers['grpc-status']]).toEqual([http, String(grpc)])
      expect(headers['grpc-message']).toBe('fault filter abort')
      expect(headers).not.toHaveProperty('content-length')
      expect(frames).toBe(0)
    } finally {
      await aborting.stop()
    }
  }
})

async function ask(port: number): Promise<{ headers: Record<string, unknown>; frames: number }> {
  const session = connect(`http://127.0.0.1:${port}`)
  const stream = session.request({ ':method': 'POST', ':path': '/test.Echo/unary', 'content-type': 'application/grpc' })
  stream.end(Buffer.alloc(5))
  let frames = 0
  stream.on('data', () => frames++)
  const headers = await new Promise<Record<string, unknown>>((resolve, reject) => {
    stream.on('error', reject)
    stream.on('response', resolve)
  })
  await new Promise((resolve) => stream.on('close', resolve))
  session.close()
  return { headers, frames }
}
