import { type Command, InvalidArgumentError, Option } from 'commander'
import { explainCall, portOfUrl, type SymbolicCall } from '../../proxy/decide/explain.ts'
import type { CliCommand } from '../command.ts'
import { CliError, EXIT } from '../exit.ts'
import { formatExplanation } from '../explain/format.ts'
import { type ExplainSource, sourceOfBootstrap, sourceOfConfig } from '../explain/source.ts'
import { readMeshConfig } from '../mesh-config.ts'

interface ExplainFlags {
  config?: string[]
  from?: string
  bootstrap?: string
  header: [string, string][]
  direction: SymbolicCall['direction']
  destination: string
  protocol: SymbolicCall['protocol']
  tls: SymbolicCall['tls']
  sni: string
  alpn?: string
  peer: string
  sourceIp: string
  meshConfig?: string
  random: number
  json?: true
}

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('explain')
      .description('where a call would go, and why not elsewhere; nothing is sent')
      .argument('<method>', 'HTTP method')
      .argument('<url>', 'as the application writes it, such as http://reviews:9080/reviews/1')
      .option('--config <dir...>', 'configuration to explain')
      .option('--from <workload.namespace>', 'the workload whose proxy decides (with --config)')
      .option('--bootstrap <file>', 'an Envoy bootstrap file to explain instead')
      .option('-H, --header <"name: value">', 'request header; may be repeated', collectHeader, [])
      .addOption(
        new Option('--direction <direction>', 'which side decides')
          .choices(['outbound', 'inbound', 'gateway'])
          .default('outbound'),
      )
      .option('--destination <ip:port>', 'the destination that capture would see', '')
      .addOption(new Option('--protocol <protocol>', 'what is spoken').choices(['http', 'tcp']).default('http'))
      .addOption(
        new Option('--tls <tls>', 'how the connection is secured').choices(['none', 'tls', 'mtls']).default('none'),
      )
      .option('--sni <name>', 'server name of the TLS handshake', '')
      .option('--alpn <list>', 'application protocols of the TLS handshake, separated by commas')
      .option('--peer <spiffe-id>', "the caller's identity", '')
      .option('--source-ip <ip>', 'where the connection comes from', '')
      .option('--mesh-config <file>', "the pilot's, with --config")
      .option('--random <n>', 'the dice: below 100, the percentile that this call falls in', parseRandom, 0)
      .option('--json', 'print the explanation as JSON')
      .action(run)
  },
}

export function collectHeader(text: string, before: [string, string][]): [string, string][] {
  const colon = text.indexOf(':')
  if (colon <= 0) throw new InvalidArgumentError(`${JSON.stringify(text)} is not "name: value"`)
  return [...before, [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]]
}

function parseRandom(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('must be a whole number, 0 or more')
  return value
}

async function run(method: string, urlText: string, flags: ExplainFlags): Promise<void> {
  const source = await sourceOf(flags)
  const url = parseUrl(urlText)
  const call: SymbolicCall = {
    method: method.toUpperCase(),
    url,
    headers: flags.header,
    direction: flags.direction,
    destination: destinationOf(flags, url, source),
    resolvedAddress: source.resolve(url.hostname),
    protocol: url.protocol === 'tcp:' ? 'tcp' : flags.protocol,
    tls: flags.tls,
    sni: flags.sni,
    // What the mesh's own clients offer.
    alpn: flags.alpn?.split(',') ?? (flags.tls === 'mtls' ? ['istio'] : []),
    peer: flags.peer,
    sourceIp: flags.sourceIp,
    randomValue: flags.random,
    faultDraw: (flags.random % 100) / 100,
    assumeHosts: source.assumeHosts,
  }
  const result = await explainCall(source.plan, call)
  for (const note of source.notes) console.error(`note: ${note}`)
  if (flags.json) console.log(JSON.stringify(result, null, 2))
  else process.stdout.write(formatExplanation(call, flags.from ?? '', result))
}

/** A workload is called on its own port, which need not be that of the service. */
function destinationOf({ destination, direction }: ExplainFlags, url: URL, source: ExplainSource): string {
  if (destination !== '' || direction !== 'inbound') return destination
  return source.inboundDestination(portOfUrl(url))
}

async function sourceOf(flags: ExplainFlags): Promise<ExplainSource> {
  if (flags.bootstrap !== undefined) {
    if (flags.config !== undefined) throw new CliError('give --config or --bootstrap, not both', EXIT.usage)
    return sourceOfBootstrap(flags.bootstrap)
  }
  if (flags.config === undefined || flags.from === undefined) {
    throw new CliError('needs --config DIR with --from WORKLOAD.NAMESPACE, or --bootstrap FILE', EXIT.usage)
  }
  return sourceOfConfig(flags.config, flags.from, flags.direction, readMeshConfig(flags.meshConfig).options)
}

export function parseUrl(text: string): URL {
  try {
    return new URL(text.includes('://') ? text : `http://${text}`)
  } catch {
    throw new CliError(`${text}: is not a URL`, EXIT.usage)
  }
}
