import { spawnSync } from 'node:child_process'
import { cpus, release, type } from 'node:os'
import { findPeer, type Peer } from '../../../test/peers/peers.ts'

/** What the figures were measured on, and with which versions. */
export function machineText(): string {
  const peers: readonly [Peer, string, RegExp][] = [
    ['envoy', '--version', /version: [^/]*\/([\d.]+)/],
    ['nginx', '-v', /nginx\/([\d.]+)/],
    ['haproxy', '-v', /version ([\d.]+)/],
    ['wrk', '-v', /wrk (?:debian\/)?([\d.]+)/],
    ['h2load', '--version', /nghttp2\/([\d.]+)/],
  ]
  const versions = peers.map(([peer, flag, pattern]) => `${peer} ${versionOf(peer, flag, pattern)}`)
  return `${cpus().length} cores of ${cpus()[0]?.model ?? 'an unknown CPU'}, ${type()} ${release()}, node ${process.version.slice(1)}, ${versions.join(', ')}`
}

function versionOf(peer: Peer, flag: string, pattern: RegExp): string {
  const path = findPeer(peer)
  if (path === undefined) return 'absent'
  // wrk and nginx print it to standard error, wrk with a status that says it failed.
  const { stdout, stderr } = spawnSync(path, [flag], { encoding: 'utf8' })
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? 'of unknown version'
}
