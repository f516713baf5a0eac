import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { builtCli } from '../../e2e/built.ts'
import { eventually } from '../../support/eventually.ts'
import { loopbackBlock } from '../../support/mesh.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { typed } from '../../support/static-resources.ts'

/** A log that is moved away while the proxy runs, which is then told to write to a new one. */

const PORT = 8000
const ADMIN = 15_000
const REQUESTS = 60

describe.each([1, 3])('%s threads', (threads) => {
  const host = `${loopbackBlock()}.1`
  const dir = mkdtempSync(join(tmpdir(), 'lateen-reopen-'))
  const [file, moved] = [join(dir, 'access.log'), join(dir, 'access.log.1')]
  let proxy: ChildProcess

  beforeAll(async () => {
    const at = (port_value: number) => ({ socket_address: { address: host, port_value } })
    const log_format = { text_format_source: { inline_string: '%REQ(:PATH)%\n' } }
    const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
      stat_prefix: 'h',
      access_log: [
        { name: 'f', typed_config: typed('access_loggers.file.v3.FileAccessLog', { path: file, log_format }) },
      ],
      route_config: {
        virtual_hosts: [
          { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }] },
        ],
      },
      http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    })
    const bootstrap = {
      node: { id: 'n', cluster: 'c' },
      admin: { address: at(ADMIN) },
      static_resources: {
        listeners: [
          { name: 'in', address: at(PORT), filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] },
        ],
      },
    }
    const config = join(dir, 'bootstrap.json')
    writeFileSync(config, JSON.stringify(bootstrap))
    const args = [builtCli(), 'proxy', '-c', config, '--workers', `${threads}`, '--drain-time-s', '0']
    proxy = spawn(process.execPath, [...args, '--exit-with-parent'], { stdio: ['pipe', 'ignore', 'ignore'] })
    await eventually(async () => expect((await send(ADMIN, 'GET', '/ready')).status).toBe(200), 20_000)
  }, 30_000)

  afterAll(async () => {
    if (proxy.exitCode === null) {
      const exited = new Promise((resolve) => proxy.once('exit', resolve))
      if (proxy.kill('SIGKILL')) await exited
    }
    rmSync(dir, { recursive: true, force: true })
  })

  const send = (port: number, method: string, path: string) =>
    sendRaw(host, port, `${method} ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`)
  const sendAll = (path: string) => Promise.all(Array.from({ length: REQUESTS }, () => send(PORT, 'GET', path)))
  const lines = (path: string) => readFileSync(path, 'latin1').split('\n').slice(0, -1)

  test('each line is in the file of its time, and none is lost at the end', async () => {
    await sendAll('/before')
    await eventually(() => expect(lines(file).length).toBe(REQUESTS))
    renameSync(file, moved)
    expect((await send(ADMIN, 'GET', '/reopen_logs')).status).toBe(400)
    await sendAll('/between')
    const answer = await send(ADMIN, 'POST', '/reopen_logs')
    expect([answer.status, answer.body]).toEqual([200, 'OK\n'])
    await eventually(() => expect(lines(file)).toEqual([]))
    // Every thread has been told by then: it wrote what it held first.
    await eventually(() => expect(lines(moved).length).toBe(2 * REQUESTS))
    await sendAll('/after')
    const exited = new Promise((resolve) => proxy.once('exit', resolve))
    proxy.kill('SIGTERM')
    await exited
    expect(lines(file)).toEqual(Array.from({ length: REQUESTS }, () => '/after'))
    const old = lines(moved)
    expect(old.length).toBe(2 * REQUESTS)
    expect(new Set(old)).toEqual(new Set(['/before', '/between']))
  }, 30_000)
})
