import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { credentials } from '@grpc/grpc-js'
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { HealthCheckResponse_ServingStatus as Serving } from '../../api/gen/grpc/health/v1/health_pb.js'
import { TestCa } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { MixerClient } from '../support/mixer-client.ts'
import { DENY_RULE } from '../support/mixer-config.ts'
import { builtCli } from './built.ts'

const PATIENCE_MS = 60_000
const REVIEWS = {
  'destination.namespace': 'default',
  'destination.labels[app]': 'ratings',
  'source.labels[app]': 'reviews',
  'source.labels[version]': 'v3',
}

let cli = ''
let dir = ''
const started: MixerVerb[] = []

beforeAll(() => {
  cli = builtCli()
}, 60_000)

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lateen-e2e-mixer-'))
  writeFileSync(join(dir, 'deny.yaml'), DENY_RULE)
})

afterEach(() => {
  for (const verb of started.splice(0)) verb.process.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

/** `lateen mixer` as a process, with what it has printed. */
class MixerVerb {
  readonly process: ChildProcess
  readonly exited: Promise<number | null>
  output = ''

  constructor(...args: readonly string[]) {
    const all = [cli, 'mixer', '--config', dir, '--http-address', '127.0.0.1:0', ...args]
    this.process = spawn(process.execPath, all, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    })
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    }
    this.exited = new Promise((resolve) => this.process.once('close', (code) => resolve(code)))
    started.push(this)
  }

  async ports(): Promise<{ grpc: number; http: string }> {
    await eventually(() => expect(this.output).toContain('mixer started'), PATIENCE_MS)
    const port = (name: string) => new RegExp(`"?${name}"?[=:]"?(?:[0-9.]+:)?(\\d+)`).exec(this.output)?.[1]
    return { grpc: Number(port('grpc')), http: `http://127.0.0.1:${port('http')}` }
  }
}

interface Config {
  readonly generation: number
  readonly rules: readonly { name: string; file: string }[]
  readonly findings: readonly { code: string; file: string; line: number; message: string }[]
}

test('it starts, answers, shows itself, says what is wrong with its configuration, and ends without cutting anybody off', async () => {
  const verb = new MixerVerb('--grpc-address', '127.0.0.1:0')
  const { grpc, http } = await verb.ports()
  const page = async (path: string) => (await fetch(`${http}${path}`)).text()
  const config = async () => JSON.parse(await page('/debug/config')) as Config
  const client = new MixerClient(grpc)
  try {
    expect(await page('/healthz')).toBe('ok\n')
    expect((await client.health()).status).toBe(Serving.SERVING)
    expect((await client.health('opentelemetry.proto.collector.trace.v1.TraceService')).status).toBe(Serving.SERVING)
    expect((await client.check(REVIEWS)).status?.code).toBe(7)
    expect(await page('/metrics')).toMatch(/^mixer_checks_denied_total 1$/m)
    expect(await config()).toMatchObject({
      findings: [],
      rules: [{ name: 'denyreviewsv3', file: join(dir, 'deny.yaml') }, { name: 'kubernetesenv' }],
    })

    const broken = DENY_RULE.replace('"v3"\n', '3\n')
    writeFileSync(join(dir, 'deny.yaml'), broken)
    const line = broken.split('\n').findIndex((text) => text.includes('match:')) + 1
    await eventually(async () =>
      expect((await config()).findings).toMatchObject([{ code: 'LTN0401', file: join(dir, 'deny.yaml'), line }]),
    )
    const lines = verb.output.trim().split('\n')
    expect(lines.map((text) => JSON.parse(text))).toContainEqual(
      expect.objectContaining({ level: 'error', code: 'LTN0401', file: join(dir, 'deny.yaml'), line }),
    )
    expect(await page('/metrics')).toMatch(/^mixer_config_errors 1$/m)
    expect((await client.check(REVIEWS)).status?.code).toBe(7)

    const entry = { commonProperties: { upstreamCluster: 'x' }, response: { responseCode: 200 } }
    const open = client.report([{ logEntries: { case: 'httpLogs', value: { logEntry: [entry] } } }], false)
    await eventually(async () => expect(await page('/metrics')).toMatch(/^mixer_report_entries_total 1$/m))
    verb.process.kill('SIGTERM')
    // As after a stream that its client has ended.
    await open
    expect(await verb.exited).toBe(0)
    await expect(client.check(REVIEWS)).rejects.toThrow('UNAVAILABLE')
  } finally {
    client.close()
  }
}, 90_000)

/** What a server shows who is asked for its certificate. */
function commonName(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

test('over TLS it believes its own clients only, and takes another certificate while it runs', async () => {
  const ca = new TestCa('mixer-clients')
  const strangers = new TestCa('others')
  const names = ['DNS:localhost', 'IP:127.0.0.1']
  const [first, second] = ['first', 'second'].map((name) => ca.issue(name, { altNames: names }))
  const proxy = ca.issue('proxy')
  const [cert, key] = [join(dir, 'tls.pem'), join(dir, 'tls.key')]
  const put = (issued: typeof proxy | undefined) => {
    copyFileSync(issued?.keyFile as string, key)
    copyFileSync(issued?.certFile as string, cert)
  }
  put(first)
  const clients: MixerClient[] = []
  try {
    const verb = new MixerVerb(
      '--grpc-address',
      '0.0.0.0:0',
      '--tls-cert',
      cert,
      '--tls-key',
      key,
      '--tls-client-ca',
      ca.certFile,
    )
    const { grpc, http } = await verb.ports()
    const roots = Buffer.from(ca.cert)
    const client = (how: ReturnType<typeof credentials.createSsl>) => {
      const made = new MixerClient(grpc, how)
      clients.push(made)
      return made
    }
    const known = client(credentials.createSsl(roots, Buffer.from(proxy.key), Buffer.from(proxy.cert)))
    expect((await known.check(REVIEWS)).status?.code).toBe(7)
    const others = strangers.issue('proxy')
    const stranger = credentials.createSsl(roots, Buffer.from(others.key), Buffer.from(others.cert))
    await expect(client(stranger).check(REVIEWS)).rejects.toThrow('UNAVAILABLE')
    await expect(client(credentials.createSsl(roots)).check(REVIEWS)).rejects.toThrow('UNAVAILABLE')
    await expect(client(credentials.createInsecure()).check(REVIEWS)).rejects.toThrow('UNAVAILABLE')
    expect(await commonName(grpc)).toBe('first')

    put(second)
    await eventually(async () => expect(await commonName(grpc)).toBe('second'))
    writeFileSync(cert, 'no certificate')
    await eventually(async () =>
      expect(await (await fetch(`${http}/metrics`)).text()).toMatch(/^mixer_tls_rotations_failed_total [1-9]/m),
    )
    expect(await commonName(grpc)).toBe('second')
    expect((await known.check(REVIEWS)).status?.code).toBe(7)
  } finally {
    for (const client of clients) client.close()
    ca.remove()
    strangers.remove()
  }
}, 90_000)

test('plain text beyond loopback must be asked for, and flags must go together', async () => {
  const ended = async (...args: readonly string[]) => {
    const verb = new MixerVerb(...args)
    const code = await verb.exited
    return `${code} ${verb.output}`
  }
  expect(await ended('--grpc-address', '0.0.0.0:0')).toMatch(/^64 .*give --tls-cert and --tls-key, or --insecure/s)
  expect(await ended('--tls-cert', 'x')).toMatch(/^64 .*both --tls-cert and --tls-key/s)
  expect(await ended('--tls-cert', join(dir, 'x'), '--tls-key', join(dir, 'y'))).toMatch(/^65 .*ENOENT/s)
  const verb = new MixerVerb('--grpc-address', '0.0.0.0:0', '--insecure')
  const { grpc } = await verb.ports()
  const client = new MixerClient(grpc)
  expect((await client.check(REVIEWS)).status?.code).toBe(7)
  client.close()
}, 90_000)
