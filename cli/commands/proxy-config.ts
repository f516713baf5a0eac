import type { Command } from 'commander'
import { parseClusterName } from '../../api/names.ts'
import { ORIGIN_METADATA_KEY, type Origin, originFromStruct } from '../../api/origin.ts'
import { systemClock } from '../../lib/clock.ts'
import { fetchJson } from '../admin-client.ts'
import type { CliCommand } from '../command.ts'
import { CliError, EXIT } from '../exit.ts'
import { formatTable } from '../output/table.ts'
import { type SecretRow, secretRows } from '../proxy-config/secrets.ts'

/*
 * `proxy-config clusters|endpoints|listeners|routes|secret`: what one proxy has, read from its admin page, in istioctl's
 * tables. Works on Envoy's admin page as well.
 */

type Json = Record<string, unknown>

interface ConfigFlags {
  admin: string
  json?: true
}

const VIEWS: Record<string, { aliases: string[]; show: (flags: ConfigFlags) => Promise<void> }> = {
  clusters: { aliases: ['cluster', 'c'], show: showClusters },
  endpoints: { aliases: ['endpoint', 'ep'], show: showEndpoints },
  listeners: { aliases: ['listener', 'l'], show: showListeners },
  routes: { aliases: ['route', 'r'], show: showRoutes },
  secret: { aliases: ['secrets', 's'], show: showSecrets },
}

export const command: CliCommand = {
  register(program: Command): void {
    const group = program.command('proxy-config').alias('pc').description('what one proxy has been configured with')
    for (const [name, { aliases, show }] of Object.entries(VIEWS)) {
      group
        .command(name)
        .aliases(aliases)
        .requiredOption('--admin <host:port>', "the proxy's admin address")
        .option('--json', 'print what the proxy answered as JSON')
        .action(show)
    }
  },
}

async function section(flags: ConfigFlags, type: string): Promise<Json> {
  const dump = (await fetchJson(flags.admin, '/config_dump?include_eds')) as { configs?: Json[] }
  const found = dump.configs?.find((config) => String(config['@type']).endsWith(`.${type}`))
  if (found === undefined) throw new CliError(`${flags.admin}: no ${type} in its config dump`, EXIT.internal)
  if (flags.json) console.log(JSON.stringify(found, null, 2))
  return found
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? (value as Json[]) : []
}

function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Json | undefined)?.[key], value)
}

function originOf(resource: unknown): Origin | undefined {
  return originFromStruct(at(resource, 'metadata', 'filter_metadata', ORIGIN_METADATA_KEY))
}

function originCell(resource: unknown, kind: string): string {
  const origin = originOf(resource)
  if (origin?.kind !== kind) return ''
  return `${origin.name}.${origin.namespace} (${origin.file}:${origin.line})`
}

async function showClusters(flags: ConfigFlags): Promise<void> {
  const dump = await section(flags, 'ClustersConfigDump')
  if (flags.json) return
  const states = [
    ...list(dump.static_clusters),
    ...list(dump.dynamic_active_clusters),
    ...list(dump.dynamic_warming_clusters),
  ]
  const clusters = states.map((state) => state.cluster).filter((cluster) => cluster !== undefined)
  const nameOf = (cluster: unknown) => String(at(cluster, 'name'))
  const parsed = (cluster: unknown) => parseClusterName(nameOf(cluster))
  process.stdout.write(
    formatTable<unknown>(
      [
        { header: 'service fqdn', value: (c) => parsed(c)?.host || nameOf(c) },
        { header: 'port', value: (c) => String(parsed(c)?.port ?? ''), alignRight: true },
        { header: 'subset', value: (c) => parsed(c)?.subset ?? '' },
        { header: 'direction', value: (c) => parsed(c)?.direction ?? '' },
        { header: 'type', value: (c) => String(at(c, 'type') ?? 'STATIC') },
        { header: 'destination rule', value: (c) => originCell(c, 'DestinationRule') },
      ],
      clusters.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)),
    ),
  )
}

async function showEndpoints(flags: ConfigFlags): Promise<void> {
  const answer = (await fetchJson(flags.admin, '/clusters?format=json')) as { cluster_statuses?: Json[] }
  if (flags.json) {
    console.log(JSON.stringify(answer, null, 2))
    return
  }
  const rows = list(answer.cluster_statuses).flatMap((cluster) =>
    list(cluster.host_statuses).map((host) => ({
      endpoint: `${at(host, 'address', 'socket_address', 'address') ?? at(host, 'address', 'pipe', 'path')}:${at(host, 'address', 'socket_address', 'port_value') ?? ''}`,
      status: String(at(host, 'health_status', 'eds_health_status') ?? 'HEALTHY'),
      requests: String(
        at(
          list(host.stats).find((stat) => stat.name === 'rq_total'),
          'value',
        ) ?? '',
      ),
      cluster: String(cluster.name),
    })),
  )
  process.stdout.write(
    formatTable(
      [
        { header: 'endpoint', value: (row) => row.endpoint },
        { header: 'status', value: (row) => row.status },
        { header: 'requests', value: (row) => row.requests, alignRight: true },
        { header: 'cluster', value: (row) => row.cluster },
      ],
      rows.sort((a, b) => (a.cluster + a.endpoint < b.cluster + b.endpoint ? -1 : 1)),
    ),
  )
}

async function showListeners(flags: ConfigFlags): Promise<void> {
  const dump = await section(flags, 'ListenersConfigDump')
  if (flags.json) return
  const listeners = [
    ...list(dump.static_listeners).map((state) => state.listener),
    ...list(dump.dynamic_listeners).map(
      (state) => at(state, 'active_state', 'listener') ?? at(state, 'warming_state', 'listener'),
    ),
  ].filter((listener) => listener !== undefined)
  const rows = listeners.flatMap((listener) => {
    const chains = list(at(listener, 'filter_chains'))
    const fallback = at(listener, 'default_filter_chain')
    return [...chains, ...(fallback === undefined ? [] : [fallback as Json])].map((chain) => ({
      address: String(at(listener, 'address', 'socket_address', 'address') ?? ''),
      port: String(at(listener, 'address', 'socket_address', 'port_value') ?? ''),
      match: describeMatch(chain),
      destination: describeDestination(chain),
    }))
  })
  process.stdout.write(
    formatTable(
      [
        { header: 'addresses', value: (row) => row.address },
        { header: 'port', value: (row) => row.port, alignRight: true },
        { header: 'match', value: (row) => row.match },
        { header: 'destination', value: (row) => row.destination },
      ],
      rows,
    ),
  )
}

function describeMatch(chain: Json): string {
  const match = (chain.filter_chain_match ?? {}) as Json
  const parts: string[] = []
  if (Array.isArray(match.server_names)) parts.push(`SNI: ${match.server_names.join(',')}`)
  if (match.transport_protocol) parts.push(`Trans: ${match.transport_protocol}`)
  if (Array.isArray(match.application_protocols)) parts.push(`App: ${match.application_protocols.join(',')}`)
  for (const range of list(match.prefix_ranges)) parts.push(`Addr: ${range.address_prefix}/${range.prefix_len ?? 0}`)
  if (match.destination_port) parts.push(`Port: ${match.destination_port}`)
  return parts.join('; ') || 'ALL'
}

function describeDestination(chain: Json): string {
  const filter = at(list(chain.filters).at(-1), 'typed_config') as Json | undefined
  if (filter === undefined) return ''
  const rds = at(filter, 'rds', 'route_config_name')
  if (rds !== undefined) return `Route: ${rds}`
  if (filter.route_config !== undefined) return `Inline Route: ${at(filter, 'route_config', 'name') ?? ''}`
  if (filter.cluster !== undefined) return `Cluster: ${filter.cluster}`
  const weighted = list(at(filter, 'weighted_clusters', 'clusters'))
  return weighted.map((cluster) => `Cluster: ${cluster.name} (${cluster.weight})`).join(', ')
}

async function showRoutes(flags: ConfigFlags): Promise<void> {
  const dump = await section(flags, 'RoutesConfigDump')
  if (flags.json) return
  const configs = [...list(dump.static_route_configs), ...list(dump.dynamic_route_configs)].map(
    (state) => state.route_config,
  )
  const rows = configs.flatMap((config) =>
    list(at(config, 'virtual_hosts')).flatMap((host) =>
      list(host.routes).map((route) => ({
        name: String(at(config, 'name') ?? ''),
        host: String(host.name),
        domains: `${(host.domains as string[])[0]}${(host.domains as string[]).length > 1 ? ` + ${(host.domains as string[]).length - 1} more...` : ''}`,
        match: describeRouteMatch(route),
        source: originCell(route, 'VirtualService'),
      })),
    ),
  )
  process.stdout.write(
    formatTable(
      [
        { header: 'name', value: (row) => row.name },
        { header: 'vhost name', value: (row) => row.host },
        { header: 'domains', value: (row) => row.domains },
        { header: 'match', value: (row) => row.match },
        { header: 'virtual service', value: (row) => row.source },
      ],
      rows,
    ),
  )
}

function describeRouteMatch(route: Json): string {
  const match = (route.match ?? {}) as Json
  const path = match.path ?? at(match, 'safe_regex', 'regex') ?? match.path_separated_prefix
  const prefix = match.prefix === undefined ? '' : `${match.prefix}*`
  const conditions = [...list(match.headers), ...list(match.query_parameters)].map((m) => String(m.name))
  return `${path ?? prefix}${conditions.length > 0 ? ` [${conditions.join(', ')}]` : ''}`
}

async function showSecrets(flags: ConfigFlags): Promise<void> {
  const dump = await section(flags, 'SecretsConfigDump')
  if (flags.json) return
  const rows = secretRows(dump, await fetchJson(flags.admin, '/certs'), systemClock.wallMs())
  process.stdout.write(
    formatTable<SecretRow>(
      [
        { header: 'resource name', value: ({ name }) => name },
        { header: 'type', value: ({ type }) => type },
        { header: 'status', value: ({ status }) => status },
        { header: 'valid cert', value: ({ isValid }) => String(isValid) },
        { header: 'serial number', value: ({ serial }) => serial },
        { header: 'not after', value: ({ notAfter }) => notAfter },
        { header: 'not before', value: ({ notBefore }) => notBefore },
      ],
      rows,
    ),
  )
}
