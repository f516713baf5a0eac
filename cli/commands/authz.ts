import { type Command, Option } from 'commander'
import type { SymbolicCall } from '../../proxy/decide/explain.ts'
import { checkCall, verdictJson } from '../authz/check.ts'
import { checkText } from '../authz/format.ts'
import { appliedRules } from '../authz/policies.ts'
import type { CliCommand } from '../command.ts'
import { CliError, EXIT } from '../exit.ts'
import { sourceOfConfig } from '../explain/source.ts'
import { readMeshConfig } from '../mesh-config.ts'
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
  const result =
    method === undefined ? undefined : await checkCall(source, { ...flags, method, url: parseUrl(urlText ?? '') })
  for (const note of source.notes) console.error(`note: ${note}`)
  if (flags.json) {
    const call = result && verdictJson(result)
    console.log(JSON.stringify({ workload, policies, ...call }, null, 2))
  } else process.stdout.write(checkText(workload, policies, result))
}
