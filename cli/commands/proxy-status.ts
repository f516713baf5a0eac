import type { Command } from 'commander'
import { fetchJson } from '../admin-client.ts'
import type { CliCommand } from '../command.ts'
import { formatTable } from '../output/table.ts'

/** One connected proxy, as the pilot's /debug/syncz tells it. */
interface ProxySync {
  proxy: string
  cluster: string
  pilot: string
  version: string
  types: Record<string, { status: string; ageMs: number; error: string }>
}

interface StatusFlags {
  pilot: string
  json?: true
}

const TYPES = ['CDS', 'LDS', 'EDS', 'RDS']

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('proxy-status')
      .alias('ps')
      .description('which proxies are connected, and whether they have accepted what was sent')
      .option('--pilot <host:port>', "the pilot's HTTP address", '127.0.0.1:15014')
      .option('--json', 'print the status as JSON')
      .action(run)
  },
}

async function run(flags: StatusFlags): Promise<void> {
  const proxies = (await fetchJson(flags.pilot, '/debug/syncz')) as ProxySync[]
  if (flags.json) {
    console.log(JSON.stringify(proxies, null, 2))
    return
  }
  const typeColumn = (type: string) => ({
    header: type,
    value: (proxy: ProxySync) => {
      const state = proxy.types[type]
      return state === undefined ? 'IGNORED' : `${state.status} (${age(state.ageMs)})`
    },
  })
  process.stdout.write(
    formatTable(
      [
        { header: 'name', value: (p: ProxySync) => p.proxy },
        { header: 'cluster', value: (p: ProxySync) => p.cluster },
        { header: 'pilot', value: (p: ProxySync) => p.pilot },
        { header: 'version', value: (p: ProxySync) => p.version },
        ...TYPES.map(typeColumn),
      ],
      proxies,
    ),
  )
  for (const proxy of proxies) {
    for (const [type, { error }] of Object.entries(proxy.types)) {
      if (error !== '') console.log(`\n${proxy.proxy} refused ${type}: ${error}`)
    }
  }
}

function age(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds}s`
  return seconds < 7200 ? `${Math.round(seconds / 60)}m` : `${Math.round(seconds / 3600)}h`
}
