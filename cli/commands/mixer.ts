import type { Command } from 'commander'
import { DirectorySource } from '../../config/sources/directory.ts'
import { systemClock } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import { isLoopback } from '../../lib/ip.ts'
import { createLogger } from '../../lib/log.ts'
import { Mixer } from '../../mixer/mixer.ts'
import { DEFAULT_ROOT_NAMESPACE } from '../../mixer/rules/model.ts'
import { MixerHttpServer } from '../../mixer/services/http.ts'
import { type IdentityFileNames, IdentityFiles } from '../../mixer/services/identity-files.ts'
import { MixerServer } from '../../mixer/services/server.ts'
import type { CliCommand } from '../command.ts'
import { CliError, EXIT } from '../exit.ts'
import { exitWithParent, exitWithParentOption } from '../exit-with-parent.ts'

interface MixerFlags {
  config: string[]
  grpcAddress: string
  httpAddress: string
  rootNamespace: string
  domain: string
  maxUnderWay: number
  maxLagMs: number
  tlsCert?: string
  tlsKey?: string
  tlsClientCa?: string
  insecure?: true
  exitWithParent?: true
}

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('mixer')
      .description(
        "answer proxies' checks and quotas, and take their reports, as Istio's policy and telemetry rules say",
      )
      .requiredOption('--config <dir...>', 'directories or files of YAML')
      .option(
        '--grpc-address <host:port>',
        "Envoy's services (authorization, rate limits, access logs), and OpenTelemetry's of spans",
        '127.0.0.1:9091',
      )
      .option('--http-address <host:port>', 'metrics and debug pages', '127.0.0.1:15015')
      .option('--root-namespace <namespace>', 'whose rules hold for every namespace', DEFAULT_ROOT_NAMESPACE)
      .option('--domain <domain>', "the cluster's DNS domain", 'cluster.local')
      .option('--max-under-way <calls>', 'so many calls may wait at once; more are turned away', Number, 1024)
      .option(
        '--max-lag-ms <ms>',
        'later than this with its timers, the mixer turns calls away (0: never)',
        Number,
        1000,
      )
      .option('--tls-cert <file>', 'serve gRPC over TLS with this certificate and those between it and a root, PEM')
      .option('--tls-key <file>', "the certificate's key, PEM; files are read again when they change")
      .option('--tls-client-ca <file>', 'PEM of roots: clients must show a certificate that leads to one of them')
      .option('--insecure', 'serve gRPC in plain text, to whoever can reach an address that is not of loopback')
      .addOption(exitWithParentOption())
      .action(run)
  },
}

/** Throws a CliError for flags that do not go together. undefined: plain text. */
function identityFiles(flags: MixerFlags): IdentityFileNames | undefined {
  const { tlsCert: certFile, tlsKey: keyFile, tlsClientCa: clientCaFile, insecure, grpcAddress } = flags
  if (certFile !== undefined && keyFile !== undefined) {
    if (insecure) throw new CliError('--insecure and --tls-cert exclude each other', EXIT.usage)
    return { certFile, keyFile, clientCaFile }
  }
  if (certFile !== undefined || keyFile !== undefined || clientCaFile !== undefined) {
    throw new CliError('TLS needs both --tls-cert and --tls-key', EXIT.usage)
  }
  if (!insecure && !isOwn(grpcAddress)) {
    throw new CliError(
      `${grpcAddress} is not of loopback, where plain text is safe: give --tls-cert and --tls-key, or --insecure`,
      EXIT.usage,
    )
  }
  return undefined
}

function isOwn(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1')
  return host === 'localhost' || isLoopback(host)
}

function openIdentity(files: IdentityFileNames | undefined, mixer: Mixer): IdentityFiles | undefined {
  try {
    return files && new IdentityFiles(files, mixer)
  } catch (thrown) {
    throw new CliError(errorText(thrown))
  }
}

async function run(flags: MixerFlags): Promise<void> {
  if (flags.exitWithParent) exitWithParent()
  const files = identityFiles(flags)
  const log = createLogger('mixer')
  const source = await DirectorySource.open(flags.config, { clock: systemClock, logger: log })
  const { rootNamespace, domain, maxUnderWay, maxLagMs } = flags
  const mixer = new Mixer({ source, log, rootNamespace, domain })
  const identity = openIdentity(files, mixer)
  const server = new MixerServer(mixer, { maxUnderWay, maxLagMs })
  const http = new MixerHttpServer(mixer)
  let stopping = false
  const stop = async () => {
    if (stopping) return
    stopping = true
    source.close()
    await server.close()
    identity?.close()
    await mixer.close()
    await http.close()
    process.exit(EXIT.ok)
  }
  process.on('SIGTERM', () => void stop())
  process.on('SIGINT', () => void stop())
  process.on('uncaughtException', (error) => log.error('bug', { error: error.stack }))
  process.on('unhandledRejection', (reason) => log.error('bug', { error: String(reason) }))
  const port = await server.listen(flags.grpcAddress, identity?.credentials())
  const httpPort = await http.listen(flags.httpAddress)
  log.info('mixer started', {
    grpc: `${flags.grpcAddress.slice(0, flags.grpcAddress.lastIndexOf(':'))}:${port}`,
    http: httpPort,
    tls: files === undefined ? 'none' : files.clientCaFile === undefined ? 'server' : 'mutual',
    rules: mixer.model.rules.length,
  })
}
