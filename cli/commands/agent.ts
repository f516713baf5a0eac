import type { Command } from 'commander'
import { systemClock } from '../../lib/clock.ts'
import { createLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { systemRandom } from '../../lib/random.ts'
import { IdentitySecrets } from '../../proxy/agent/identity/identity-secrets.ts'
import { SecretServer } from '../../proxy/agent/identity/secret-server.ts'
import type { CliCommand } from '../command.ts'
import { EXIT } from '../exit.ts'
import { exitWithParent, exitWithParentOption } from '../exit-with-parent.ts'

interface AgentFlags {
  caAddress: string
  caRoot: string
  token: string
  certificateLifeS: number
  sdsAddress: string
  exitWithParent?: true
}

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('agent')
      .description('keep a certificate for the Envoy beside it, and serve it by SDS; our own proxies need none')
      .requiredOption('--ca-address <host:port>', 'the certificate authority')
      .requiredOption('--ca-root <file>', "the roots that the authority's own certificate must lead to, PEM")
      .requiredOption('--token <file>', 'what tells the authority who the workload is')
      .option(
        '--certificate-life-s <seconds>',
        'how long certificates are to be valid; 0 leaves it to the authority',
        Number,
        0,
      )
      .requiredOption('--sds-address <address>', 'where Envoy asks: unix:PATH, or host:port of loopback')
      .addOption(exitWithParentOption())
      .action(run)
  },
}

async function run(flags: AgentFlags): Promise<void> {
  if (flags.exitWithParent) exitWithParent()
  const log = createLogger('agent')
  const server = new SecretServer(log)
  const port = await server.listen(flags.sdsAddress)
  const secrets = new IdentitySecrets(
    {
      caAddress: flags.caAddress,
      caRootFile: flags.caRoot,
      tokenFile: flags.token,
      lifeSeconds: flags.certificateLifeS,
    },
    { clock: systemClock, random: systemRandom, log, metrics: new MetricStore() },
  )
  const stop = () => {
    secrets.close()
    server.close()
    process.exit(EXIT.ok)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  secrets.start(server)
  log.info('agent started', { sds: port === 0 ? flags.sdsAddress : port })
}
