import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { env } from '../../lib/env.ts'
import { findPeer } from '../../test/peers/peers.ts'
import { freePort } from '../../test/support/free-port.ts'
import { envoyConfig } from './configs/envoy.ts'
import { haproxyConfig } from './configs/haproxy.ts'
import { nginxConfig } from './configs/nginx.ts'
import { distFile } from './dist.ts'
import type { Hop, HopShape } from './hop.ts'
import { PROXY_CORE } from './settings.ts'
import type { Workplace } from './workplace.ts'

export type Engine = 'nginx' | 'haproxy' | 'envoy' | 'lateen' | 'lateen before' | 'http-proxy'

/** What is measured under one name: a proxy, or several in a row. */
export interface Contender {
  readonly label: string
  readonly engine: Engine
  /** From the client to the backend. */
  readonly hops: readonly HopShape[]
}

export interface Subject {
  readonly label: string
  /** Where the load goes. */
  readonly port: number
  readonly processes: readonly ChildProcess[]
}

export function contenders(engines: readonly Engine[], ...hops: HopShape[]): readonly Contender[] {
  return engines.map((engine) => ({ label: engine, engine, hops }))
}

export function pidsOf(subject: Subject): readonly number[] {
  return subject.processes.map(({ pid }) => pid as number)
}

/** Starts the hops from the backend on; undefined when the engine is not here. */
export async function startSubject(
  work: Workplace,
  { label, engine, hops }: Contender,
  backendPort: number,
): Promise<Subject | undefined> {
  const processes: ChildProcess[] = []
  let port = backendPort
  for (const shape of [...hops].reverse()) {
    const { certificates, dir } = work
    const ports = { port: await freePort(), adminPort: await freePort(), deadPort: await freePort() }
    const hop: Hop = { ...shape, ...ports, upstreamPort: port, certificates, dir }
    const command = commandOf(engine, work, hop)
    if (command === undefined) return undefined
    processes.push(await work.serve(command, PROXY_CORE, hop.port))
    // Two Envoys that start at once take the same base id, and one of them ends.
    if (engine === 'envoy') await new Promise((resolve) => setTimeout(resolve, ENVOY_PAUSE_MS))
    port = hop.port
  }
  return { label, port, processes }
}

const ENVOY_PAUSE_MS = 300

function commandOf(engine: Engine, work: Workplace, hop: Hop): string[] | undefined {
  if (engine === 'http-proxy') {
    const reference = distFile('bench/reference-engine.js')
    return existsSync(reference) ? [process.execPath, reference, '-c', bootstrap(work, hop)] : undefined
  }
  if (engine === 'lateen')
    return [...lateen(distFile('cli/main.js'), work, hop), '--workers', '0', '--drain-time-s', '0']
  if (engine === 'lateen before') {
    // Started with what every version knows.
    const checkout = env('LATEEN_BENCH_BEFORE')
    return checkout === '' ? undefined : lateen(join(checkout, 'dist/cli/main.js'), work, hop)
  }
  const peer = findPeer(engine)
  if (peer === undefined) return undefined
  if (engine === 'nginx') return [peer, '-e', 'stderr', '-c', work.file('nginx.conf', nginxConfig(hop))]
  if (engine === 'haproxy') return [peer, '-db', '-f', work.file('haproxy.cfg', haproxyConfig(hop))]
  return [peer, '-c', bootstrap(work, hop), '--concurrency', '1', '--log-level', 'error', '--use-dynamic-base-id']
}

function lateen(cli: string, work: Workplace, hop: Hop): string[] {
  return [process.execPath, cli, 'proxy', '-c', bootstrap(work, hop)]
}

function bootstrap(work: Workplace, hop: Hop): string {
  return work.file('bootstrap.json', envoyConfig(hop))
}
