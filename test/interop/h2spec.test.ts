import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/*
 * h2spec speaks to the proxy as a client that breaks every rule of RFC 9113 and RFC 7541. The listener takes HTTP/2 only:
 * one that tells the protocols apart answers garbage as HTTP/1.1 does, which h2spec takes for a failure (3.5/2).
 */

const h2spec = peerOrSkip('h2spec')
const withH2spec = h2spec === undefined ? test.skip : test
const TIMEOUT_MS = 60_000

let upstream: Server
let proxy: StaticProxy

beforeAll(async () => {
  upstream = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.end('hello'))
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as AddressInfo
  proxy = await StaticProxy.start({ upstreams: [port], manager: { codec_type: 'HTTP2' } })
})

afterAll(async () => {
  upstream.closeAllConnections()
  upstream.close()
  await proxy.stop()
})

withH2spec(
  'every test of h2spec passes',
  async () => {
    const { total, failures } = await runH2spec([])
    expect(failures).toEqual([])
    expect(total).toBe(145)
  },
  TIMEOUT_MS,
)

withH2spec(
  'every test of h2spec passes, the strict ones too',
  async () => {
    const { total, failures } = await runH2spec(['--strict'])
    expect(failures).toEqual([])
    expect(total).toBeGreaterThanOrEqual(145)
  },
  TIMEOUT_MS,
)

/** Runs all of h2spec's suites. A failure is its section, its title and what was seen. */
async function runH2spec(flags: readonly string[]): Promise<{ total: number; failures: string[] }> {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-h2spec-'))
  try {
    const report = join(dir, 'report.xml')
    const args = ['-h', '127.0.0.1', '-p', String(proxy.port), '-o', '2', '-j', report, ...flags]
    const run = spawn(h2spec as string, args, { stdio: 'ignore' })
    await new Promise((resolve) => run.on('close', resolve))
    return readReport(readFileSync(report, 'utf8'))
  } finally {
    rmSync(dir, { recursive: true })
  }
}

function readReport(xml: string): { total: number; failures: string[] } {
  const failures: string[] = []
  let total = 0
  for (const [, attributes = '', , inner = ''] of xml.matchAll(/<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)) {
    if (inner.includes('<skipped')) continue
    total++
    if (!inner.includes('<failure') && !inner.includes('<error')) continue
    failures.push(`${attributes} ${inner}`.replaceAll(/<[^>]*>|\s+/g, ' ').trim())
  }
  return { total, failures }
}
