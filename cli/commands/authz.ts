import { type Command, Option } from 'commander'
import { type Explanation, explainCall, portOfUrl, type SymbolicCall } from '../../proxy/decide/explain.ts'
import { type AppliedRule, appliedRules } from '../authz/policies.ts'
import type { CliCommand } from '../command.ts'
import { CliError, EXIT } from '../exit.ts'
import { authorizationText } from '../explain/format.ts'
import { type ExplainSource, sourceOfConfig } from '../explain/source.ts'
import { readMeshConfig } from '../mesh-config.ts'
import { type Column, formatTable } from '../output/table.ts'
import { collectHeader, parseUrl } from './explain.ts'

interface AuthzFlags {
  config: string[]
  meshConfig?: string
  header: [string, string][]
  peer: string
  sourceIp: string
  sni: string
  protocol: SymbolicCall['protocol']
  json?: true
}

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('authz')
      .description('who may call a workload')
      .command('check')
      .description('the rules that a workload is under, in the order in which they are asked; with a call, its verdict')
      .argument('<workload.namespace>', 'as in productpage-v1.default')
      .argument('[method]', 'HTTP method of a call to judge')
      .argument('[url]', 'of the call, with the port of the service')
      .requiredOption('--config <dir...>', 'directories or files of YAML')
      .option('--mesh-config <file>', "the pilot's")
      .option('-H, --header <"name: value">', 'request header; may be repeated', collectHeader, [])
      .option('--peer <spiffe-id>', "the caller's identity; without one the call is in plain text", '')
      .option('--source-ip <ip>', 'where the connection comes from', '')
      .option('--sni <name>', 'server name of the TLS handshake', '')
      .addOption(new Option('--protocol <protocol>', 'what is spoken').choices(['http', 'tcp']).default('http'))
      .option('--json', 'print as JSON')
      .action(run)
  },
}

async function run(
  workload: string,
  method: string | undefined,
  urlText: string | undefined,
  flags: AuthzFlags,
): Promise<void> {
  if (method !== undefined && urlText === undefined) throw new CliError('METHOD needs a URL', EXIT.usage)
  const source = await sourceOfConfig(flags.config, workload, 'inbound', readMeshConfig(flags.meshConfig).options)
  const policies = appliedRules(source.security)
  const result = method === undefined ? undefined : await judge(method, parseUrl(urlText ?? ''), flags, source)
  for (const note of source.notes) console.error(`note: ${note}`)
  if (flags.json) {
    const call = result && { authorization: result.authorization, trace: result.trace, error: result.error }
    console.log(JSON.stringify({ workload, policies, ...call }, null, 2))
  } else process.stdout.write(textOf(workload, policies, result))
}

async function judge(method: string, url: URL, flags: AuthzFlags, source: ExplainSource): Promise<Explanation> {
  const isMutual = flags.peer !== ''
  const result = await explainCall(source.plan, {
    method: method.toUpperCase(),
    url,
    headers: flags.header,
    direction: source.isGateway ? 'gateway' : 'inbound',
    destination: source.inboundDestination(portOfUrl(url)),
    resolvedAddress: source.resolve(url.hostname),
    protocol: flags.protocol,
    tls: isMutual ? 'mtls' : 'none',
    sni: flags.sni,
    // What the mesh's own clients offer.
    alpn: isMutual ? ['istio'] : [],
    peer: flags.peer,
    sourceIp: flags.sourceIp,
    randomValue: 0,
    faultDraw: 0,
    assumeHosts: true,
  })
  // What else became of the call is not asked here.
  return { ...result, trace: result.trace.filter(({ candidate }) => / policy /.test(candidate)) }
}

function textOf(workload: string, policies: readonly AppliedRule[], result: Explanation | undefined): string {
  const lines = [
    policies.length === 0 ? `${workload} is under no AuthorizationPolicy: whoever reaches it may call it` : '',
  ]
  if (policies.length > 0) lines[0] = tableOf(policies)
  if (result !== undefined) {
    lines.push('', authorizationText(result))
    if (result.error !== null) lines.push(result.error)
    for (const { candidate, matched, reason } of result.trace)
      lines.push(`  ${matched ? '+' : '-'} ${candidate}: ${reason}`)
  }
  return `${lines.join('\n').trimEnd()}\n`
}

function tableOf(policies: readonly AppliedRule[]): string {
  return formatTable(COLUMNS, policies).trimEnd()
}

const COLUMNS: readonly Column<AppliedRule>[] = [
  {
    header: 'action',
    value: ({ action, provider, dryRun }) =>
      action + (provider === null ? '' : ` (${provider})`) + (dryRun ? ' (dry run)' : ''),
  },
  { header: 'policy', value: ({ policy }) => policy },
  { header: 'rule', value: ({ rule }) => (rule === null ? '' : String(rule)) },
  { header: 'place', value: ({ file, line }) => `${file}:${line}` },
]
