import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CATALOGUE, ISTIO_BOUNDS, JOBS } from '../../../dashboards/catalogue.ts'

/** Labels that calls are made with in this mesh of one service in two versions, and how many of them end in a second. */
export interface FakeCall {
  readonly reporter: 'source' | 'destination'
  readonly version: string
  readonly code: string
  readonly grpcStatus: string
  readonly flags: string
  readonly perSecond: number
  /** How long each takes. */
  readonly ms: number
}

export const SERVICE = 'reviews.default.svc.cluster.local'

function labelsOf(call: FakeCall): Record<string, string> {
  return {
    reporter: call.reporter,
    source_workload: 'productpage-v1',
    source_workload_namespace: 'default',
    destination_workload: `reviews-${call.version}`,
    destination_workload_namespace: 'default',
    destination_version: call.version,
    destination_service: SERVICE,
    destination_service_namespace: 'default',
    request_protocol: call.grpcStatus === '' ? 'http' : 'grpc',
    response_code: call.code,
    grpc_response_status: call.grpcStatus,
    response_flags: call.flags,
    connection_security_policy: 'mutual_tls',
  }
}

function line(name: string, labels: Record<string, string | number>, value: number): string {
  const text = Object.entries(labels).map(([key, one]) => `${key}="${one}"`)
  return `${name}{${text.join(',')}} ${value}\n`
}

/** Exposes the whole catalogue: what calls count grows with time, so that rates are known. */
export class FakeExporter {
  readonly #calls: readonly FakeCall[]
  readonly #startMs = Date.now()
  #server: Server | undefined

  constructor(calls: readonly FakeCall[]) {
    this.#calls = calls
  }

  /** `host:port`, with a path for each job. */
  async listen(): Promise<string> {
    const server = createServer((request, response) => {
      const pilot = request.url?.includes(JOBS.pilot) ?? false
      response.end(this.#text(pilot))
    })
    this.#server = server
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server?.closeAllConnections()
    this.#server?.close()
  }

  #text(pilot: boolean): string {
    const seconds = (Date.now() - this.#startMs) / 1000
    const own = CATALOGUE.filter(({ name, from }) => name !== 'up' && (from === 'pilot') === pilot)
    const shared = pilot ? CATALOGUE.filter(({ name, from }) => name !== 'up' && from === 'process') : []
    return [...own, ...shared]
      .flatMap((entry) => {
        if (entry.labels.includes('reporter')) {
          return this.#calls.map((call) =>
            exposed(entry.name, entry.type, labelsOf(call), call.perSecond * seconds, call.ms),
          )
        }
        const labels = Object.fromEntries(entry.labels.map((label) => [label, DEFAULTS[label] ?? 'x']))
        return exposed(entry.name, entry.type, labels, entry.type === 'gauge' ? 1 : seconds, 25)
      })
      .join('')
  }
}

/** Values that queries ask for by name. */
const DEFAULTS: Record<string, string> = { severity: 'error', type: 'cds' }

function exposed(name: string, type: string, labels: Record<string, string>, count: number, each: number): string {
  if (type !== 'histogram') return line(name, labels, count)
  const buckets = [...ISTIO_BOUNDS, '+Inf'].map((le) =>
    line(`${name}_bucket`, { ...labels, le }, le === '+Inf' || each <= Number(le) ? count : 0),
  )
  return [...buckets, line(`${name}_sum`, labels, count * each), line(`${name}_count`, labels, count)].join('')
}
