import type { Command } from 'commander'
import { DirectorySource } from '../../config/sources/directory.ts'
import { systemClock } from '../../lib/clock.ts'
import { createLogger } from '../../lib/log.ts'
import { Pilot } from '../../pilot/pilot.ts'
import type { CliCommand } from '../command.ts'
import { EXIT } from '../exit.ts'
import { exitWithParent, exitWithParentOption } from '../exit-with-parent.ts'

interface PilotFlags {
  config: string[]
  xdsAddress: string
  httpAddress: string
  debounceMs: number
  domain: string
  exitWithParent?: true
}

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('pilot')
      .description('watch configuration and serve it to proxies over xDS')
      .requiredOption('--config <dir...>', 'directories or files of YAML')
      .option('--xds-address <host:port>', 'where proxies connect', '127.0.0.1:15010')
      .option('--http-address <host:port>', 'metrics and debug pages', '127.0.0.1:15014')
      .option('--debounce-ms <ms>', 'how long a change waits for others', Number, 15)
      .option('--domain <domain>', "the cluster's DNS domain", 'cluster.local')
      .addOption(exitWithParentOption())
      .action(run)
  },
}

async function run(flags: PilotFlags): Promise<void> {
  if (flags.exitWithParent) exitWithParent()
  const log = createLogger('pilot')
  const source = await DirectorySource.open(flags.config, {
    clock: systemClock,
    logger: log,
    debounceMs: flags.debounceMs,
  })
  const pilot = new Pilot({
    source,
    xdsAddress: flags.xdsAddress,
    httpAddress: flags.httpAddress,
    // The source has waited for other changes already.
    debounceMs: 0,
    mesh: { domain: flags.domain },
    log,
  })
  const stop = () => {
    source.close()
    void pilot.close()
    process.exit(EXIT.ok)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('uncaughtException', (error) => log.error('bug', { error: error.stack }))
  process.on('unhandledRejection', (reason) => log.error('bug', { error: String(reason) }))
  await pilot.start()
  log.info('pilot started', {
    xds: `${flags.xdsAddress.slice(0, flags.xdsAddress.lastIndexOf(':'))}:${pilot.xdsPort}`,
    http: pilot.http.port,
    generation: pilot.publisher.generation,
    objects: source.current().objects.length,
  })
}
