import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { ByteUpstream } from '../support/byte-upstream.ts'
import { ProxyProcess } from '../support/proxy-process.ts'
import { converse, statuses } from '../support/raw-client.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const node24 = peerOrSkip('node24')
const onNode24 = node24 === undefined ? test.skip : test

/** What breaks on another Node breaks when a package is imported, whatever its manifest says. */
onNode24('every runtime dependency can be imported on Node 24', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const imports = Object.keys(manifest.dependencies).map((name) => `await import(${JSON.stringify(name)})`)
  const script = `${imports.join('\n')}\nconsole.log(process.versions.node.split('.')[0])`
  const run = spawnSync(node24 as string, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8' })
  expect(run.stderr).toBe('')
  expect(run.stdout.trim()).toBe('24')
})

onNode24('the command line explains a call on Node 24', () => {
  const args = ['dist/cli/main.js', 'explain', 'GET', 'http://reviews:9080/reviews/0', '--json']
  const config = ['--config', 'samples/bookinfo', '--from', 'productpage-v1.default']
  const run = spawnSync(node24 as string, [...args, ...config], { cwd: root, encoding: 'utf8' })
  const explanation = JSON.parse(run.stdout) as { cluster: string; error: string | null }
  expect(explanation.error).toBeNull()
  expect(explanation.cluster).toMatch(/\|reviews\.default\.svc\.cluster\.local$/)
})

/** Reading into one buffer and writing round node's streams lean on what node's sockets are inside. */
onNode24('the proxy serves on Node 24: heads, bodies, pipelined and cut requests, many connections', async () => {
  const upstream = new ByteUpstream()
  const proxy = await ProxyProcess.start({ upstreams: [await upstream.listen()] }, node24)
  try {
    const get = 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n'
    const post = `POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n${'x'.repeat(70_000)}`
    const last = 'GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
    const pieces = [get + get.slice(0, 10), get.slice(10), post.slice(0, 50), post.slice(50) + get, last]
    const heard = await Promise.all(Array.from({ length: 50 }, () => converse(proxy.port, pieces)))
    for (const { text } of heard) expect(statuses(text)).toEqual([200, 200, 200, 200, 200])
    expect(upstream.text.match(/POST \/b /g)).toHaveLength(50)
    expect(upstream.text.match(/x{1000}/g)?.length).toBe(50 * 70)
    expect(proxy.errors).not.toContain('"bug"')
  } finally {
    await proxy.stop()
    await upstream.close()
  }
})
