import type { Command } from 'commander'
import { DirectorySource } from '../../config/sources/directory.ts'
import { systemClock } from '../../lib/clock.ts'
import { createLogger } from '../../lib/log.ts'
import { Mixer } from '../../mixer/mixer.ts'
import { DEFAULT_ROOT_NAMESPACE } from '../../mixer/rules/model.ts'
import { MixerHttpServer } from '../../mixer/services/http.ts'
import { MixerServer } from '../../mixer/services/server.ts'
import type { CliCommand } from '../command.ts'
import { EXIT } from '../exit.ts'
import { exitWithParent, exitWithParentOption } from '../exit-with-parent.ts'

interface MixerFlags {
  config: string[]
  grpcAddress: string
  httpAddress: string
  rootNamespace: string
  domain: string
  maxUnderWay: number
  maxLagMs: number
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
        "Envoy's services: authorization, rate limits, access logs",
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
      .addOption(exitWithParentOption())
      .action(run)
  },
}

async function run(flags: MixerFlags): Promise<void> {
  if (flags.exitWithParent) exitWithParent()
  const log = createLogger('mixer')
  const source = await DirectorySource.open(flags.config, { clock: systemClock, logger: log })
  const { rootNamespace, domain, maxUnderWay, maxLagMs } = flags
  const mixer = new Mixer({ source, log, rootNamespace, domain })
  const server = new MixerServer(mixer, { maxUnderWay, maxLagMs })
  const http = new MixerHttpServer(mixer)
  let stopping = false
  const stop = async () => {
    if (stopping) return
    stopping = true
    source.close()
    await server.close()
    await mixer.close()
    await http.close()
    process.exit(EXIT.ok)
  }
  process.on('SIGTERM', () => void stop())
  process.on('SIGINT', () => void stop())
  process.on('uncaughtException', (error) => log.error('bug', { error: error.stack }))
  process.on('unhandledRejection', (reason) => log.error('bug', { error: String(reason) }))
  const port = await server.listen(flags.grpcAddress)
  const httpPort = await http.listen(flags.httpAddress)
  log.info('mixer started', {
    grpc: `${flags.grpcAddress.slice(0, flags.grpcAddress.lastIndexOf(':'))}:${port}`,
    http: httpPort,
    rules: mixer.model.rules.length,
  })
}
