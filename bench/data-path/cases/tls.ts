import { startBackend } from '../backend/nginx.ts'
import { distFile } from '../dist.ts'
import type { TlsConnectionsReport } from '../load/tls-connections.ts'
import { probeHttp1 } from '../probe.ts'
import { SECONDS } from '../settings.ts'
import { contenders } from '../subjects.ts'
import type { Workplace } from '../workplace.ts'
import { type CpuCase, cpuCase } from './cpu-case.ts'
import { ALL_ENGINES, PLAIN, SMALL_BYTES } from './shapes.ts'

const CONCURRENCY = 16

/** A handshake for each request, both sides showing a certificate; the connection to the backend is kept. */
function handshakes(name: string, about: string, mode: 'full' | 'resumed'): CpuCase {
  return {
    name,
    about,
    startBackend: (work) => startBackend(work, { protocol: 'http1', hasTls: false, bodyBytes: SMALL_BYTES }),
    contenders: contenders(ALL_ENGINES, { ...PLAIN, downstreamTls: 'mutual' }),
    probe: (port, { certificates }) =>
      probeHttp1(port, { scheme: 'https', bodyBytes: SMALL_BYTES, client: certificates }),
    load: (work, port) => newConnections(work, port, mode),
    must: { of: 'envoy', times: 1 },
    reach: { of: 'envoy', times: 0.7 },
  }
}

export const tlsConnect = cpuCase(
  handshakes('tls-connect', 'HTTP/1.1 over mutual TLS, a full handshake for each request, 16 at a time', 'full'),
)

export const tlsResume = cpuCase(
  handshakes('tls-resume', 'HTTP/1.1 over mutual TLS, a resumed session for each request, 16 at a time', 'resumed'),
)

async function newConnections(work: Workplace, port: number, mode: string): Promise<TlsConnectionsReport> {
  const generator = distFile('bench/data-path/load/tls-connections.js')
  const { caFile, certFile, keyFile } = work.certificates
  const args = [port, CONCURRENCY, SECONDS, mode, caFile, certFile, keyFile].map(String)
  return JSON.parse(await work.load(process.execPath, [generator, ...args])) as TlsConnectionsReport
}
