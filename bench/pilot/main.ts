import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TYPE_URL } from '../../api/type-urls.ts'
import { formatTable } from '../../cli/output/table.ts'
import { env } from '../../lib/env.ts'
import { spread } from '../data-path/statistics.ts'
import { cpuSeconds, listening, pinSelf, residentMib, start, stop } from '../process.ts'
import { BenchClient, type Variant } from './client.ts'
import { changeEndpoint, changeVirtualService, SERVICE_COUNT, writeConfig } from './config.ts'

/*
 * The pilot with 1,000 ServiceEntries of two endpoints and 200 streams: what a connect storm, one changed endpoint and
 * one changed virtual host cost until the last stream has acknowledged. The wait for more changes (15 ms) is part of the times.
 */

const STREAMS = 200
const ROUNDS = 9
const XDS_PORT = 18210
const HTTP_PORT = 18214
const QUIET_MS = 1000
const VARIANTS: readonly Variant[] = ['delta', 'vhds', 'sotw']

/** A build under test. */
interface Build {
  name: string
  cli: string
}

interface Row {
  streams: string
  what: string
  lastAckMs: number
  cpuS: number
  clientsCpuS: number
  mib: number
  rssMib: number
}

export async function benchPilot(wanted: readonly string[]): Promise<void> {
  const unknown = wanted.find((name) => !VARIANTS.includes(name as Variant))
  if (unknown !== undefined) throw new Error(`no streams ${unknown}: ${VARIANTS.join(', ')}`)
  pinSelf(1)
  const rows: Row[] = []
  for (const variant of VARIANTS) {
    if (wanted.length > 0 && !wanted.includes(variant)) continue
    for (const build of builds()) rows.push(...(await benchVariant(variant, build)))
  }
  process.stdout.write(`${SERVICE_COUNT} ServiceEntries of 2 endpoints, ${STREAMS} streams, medians of ${ROUNDS}\n\n`)
  process.stdout.write(
    formatTable(
      [
        { header: 'streams', value: (r) => r.streams },
        { header: 'event', value: (r) => r.what },
        { header: 'last ack ms', value: (r) => r.lastAckMs.toFixed(0), alignRight: true },
        { header: 'pilot cpu s', value: (r) => r.cpuS.toFixed(2), alignRight: true },
        { header: 'clients cpu s', value: (r) => r.clientsCpuS.toFixed(2), alignRight: true },
        { header: 'sent MiB', value: (r) => r.mib.toFixed(2), alignRight: true },
        { header: 'pilot rss MiB', value: (r) => r.rssMib.toFixed(0), alignRight: true },
      ],
      rows,
    ),
  )
}

/** This one, and an earlier one beside it when LATEEN_BENCH_BEFORE names its checkout. */
function builds(): Build[] {
  const now = { name: '', cli: join(dirname(fileURLToPath(import.meta.url)), '../cli/main.js') }
  const checkout = env('LATEEN_BENCH_BEFORE')
  return checkout === '' ? [now] : [{ name: ' before', cli: join(checkout, 'dist/cli/main.js') }, now]
}

async function benchVariant(variant: Variant, { name, cli }: Build): Promise<Row[]> {
  const streams = variant + name
  const dir = mkdtempSync(join(tmpdir(), 'lateen-bench-pilot-'))
  writeConfig(dir)
  const args = [
    'pilot',
    '--config',
    dir,
    '--xds-address',
    `127.0.0.1:${XDS_PORT}`,
    '--http-address',
    `127.0.0.1:${HTTP_PORT}`,
  ]
  const pilot = start(process.execPath, [cli, ...args], 0)
  const pid = pilot.pid as number
  let clients: BenchClient[] = []
  try {
    await listening(XDS_PORT)
    await quiet(() => cpuSeconds(pid))
    const measure = async (what: string, act: () => void, isDone?: () => boolean): Promise<Row> => {
      const bytesBefore = received(clients)
      const cpuBefore = cpuSeconds(pid)
      const clientsBefore = process.cpuUsage()
      const startMs = performance.now()
      act()
      await quiet(() => received(clients), isDone)
      return {
        streams,
        what,
        lastAckMs: Math.max(...clients.map((client) => client.lastAckMs)) - startMs,
        cpuS: cpuSeconds(pid) - cpuBefore,
        clientsCpuS: (({ user, system }) => (user + system) / 1e6)(process.cpuUsage(clientsBefore)),
        mib: (received(clients) - bytesBefore) / 1024 / 1024,
        rssMib: residentMib(pid),
      }
    }
    const connect = () => {
      clients = Array.from({ length: STREAMS }, (_, i) => new BenchClient(`127.0.0.1:${XDS_PORT}`, variant, i))
    }
    const haveRoutes = () => clients.every((client) => client.typesSeen.has(TYPE_URL.route))
    const rows = [await measure('connect storm', connect, haveRoutes)]
    const endpoint: Row[] = []
    const host: Row[] = []
    for (let round = 1; round <= ROUNDS; round++) {
      endpoint.push(await measure('one endpoint', () => changeEndpoint(dir, round)))
      host.push(await measure('one VirtualService', () => changeVirtualService(dir, round)))
    }
    rows.push(medianRow(endpoint), medianRow(host))
    return rows
  } finally {
    for (const client of clients) client.close()
    await stop(pilot)
    rmSync(dir, { recursive: true, force: true })
  }
}

function received(clients: readonly BenchClient[]): number {
  return clients.reduce((sum, client) => sum + client.receivedBytes, 0)
}

/** The median of each figure by itself. */
function medianRow(rows: readonly Row[]): Row {
  const { streams, what } = rows[0] as Row
  const of = (figure: (row: Row) => number) => spread(rows.map(figure)).median
  return {
    streams,
    what,
    lastAckMs: of((row) => row.lastAckMs),
    cpuS: of((row) => row.cpuS),
    clientsCpuS: of((row) => row.clientsCpuS),
    mib: of((row) => row.mib),
    rssMib: of((row) => row.rssMib),
  }
}

/** Waits until `value` has moved and then stood still for a while, and all is done. */
async function quiet(value: () => number, isDone = () => true): Promise<void> {
  let last = value()
  let movedAtMs = performance.now()
  const startMs = movedAtMs
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    const now = value()
    if (now !== last) {
      last = now
      movedAtMs = performance.now()
    }
    const stillMs = performance.now() - movedAtMs
    if (isDone() && stillMs > QUIET_MS && (movedAtMs !== startMs || stillMs > 3000)) return
    if (performance.now() - startMs > 60_000) throw new Error('it never became quiet')
  }
}
