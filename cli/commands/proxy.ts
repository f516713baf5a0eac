import { type Command, InvalidArgumentError } from 'commander'
import { createLogger } from '../../lib/log.ts'
import { giveOneTicket } from '../../lib/one-ticket.ts'
import { Agent } from '../../proxy/agent/agent.ts'
import { readBootstrap } from '../../proxy/agent/bootstrap.ts'
import type { IdentityOptions } from '../../proxy/agent/identity/identity-secrets.ts'
import { TURN_WAIT_US } from '../../proxy/stream/turn-pacer.ts'
import type { CliCommand } from '../command.ts'
import { CliError, EXIT } from '../exit.ts'
import { exitWithParent, exitWithParentOption } from '../exit-with-parent.ts'
import { endSmallStart, giveBackMemory } from '../small-start.ts'

interface ProxyFlags {
  config: string
  workers: number
  drainTimeS: number
  caAddress?: string
  caRoot?: string
  token?: string
  certificateLifeS: number
  statusPort?: number
  maxMetricSeries?: number
  turnWaitUs: number
  exitWithParent?: true
}

const MAX_WORKERS = 128
const MAX_TURN_WAIT_US = 1000

/** A parser of whole numbers within bounds; what is none of them is said to be not what was `wanted`. */
function wholeNumber(wanted: string, min: number, max = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) throw new InvalidArgumentError(wanted)
    return value
  }
}

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('proxy')
      .description('run a sidecar or gateway from an Envoy bootstrap file')
      .requiredOption('-c, --config <file>', 'Envoy bootstrap file, YAML or JSON')
      .option(
        '--workers <n>',
        'worker threads; 0 does all in one thread',
        wholeNumber(`a number from 0 to ${MAX_WORKERS}`, 0, MAX_WORKERS),
        0,
      )
      .option('--drain-time-s <seconds>', 'how long requests under way may take after SIGTERM', Number, 10)
      .option(
        '--ca-address <host:port>',
        "get the workload's certificate (secret `default`) and roots (`ROOTCA`) of this authority",
      )
      .option('--ca-root <file>', "the roots that the authority's own certificate must lead to, PEM")
      .option(
        '--token <file>',
        'what tells the authority, and a management server behind TLS, who the workload is; read anew each time',
      )
      .option(
        '--certificate-life-s <seconds>',
        'how long certificates are to be valid; 0 leaves it to the authority',
        Number,
        0,
      )
      .option(
        '--status-port <port>',
        "serve the proxy's and the workload's metrics and readiness to whoever asks, as Istio's agent does on 15020; off unless given",
        wholeNumber('a port number', 0, 65_535),
      )
      .option(
        '--max-metric-series <n>',
        "how many series of Istio's metrics there may be; what is beyond is counted together",
        wholeNumber('a number from 1 on', 1),
      )
      .option(
        '--turn-wait-us <us>',
        'how long a thread with many calls under way waits for more of them, to handle them together; 0 for never',
        wholeNumber(`microseconds from 0 to ${MAX_TURN_WAIT_US}`, 0, MAX_TURN_WAIT_US),
        TURN_WAIT_US,
      )
      .addOption(exitWithParentOption())
      .action(run)
  },
}

function identityOptions(flags: ProxyFlags): IdentityOptions | undefined {
  const { caAddress, caRoot: caRootFile, token: tokenFile, certificateLifeS: lifeSeconds } = flags
  if (caAddress === undefined) return undefined
  if (caRootFile === undefined || tokenFile === undefined) {
    throw new CliError('--ca-address needs --ca-root and --token', EXIT.usage)
  }
  return { caAddress, caRootFile, tokenFile, lifeSeconds }
}

async function run(flags: ProxyFlags): Promise<void> {
  if (flags.exitWithParent) exitWithParent()
  const log = createLogger('proxy')
  const why = giveOneTicket()
  if (why !== '') log.info('two session tickets a connection', { why })
  const agent = new Agent(readBootstrap(flags.config), flags.config, {
    log,
    workers: flags.workers,
    identity: identityOptions(flags),
    tokenFile: flags.token,
    statusPort: flags.statusPort,
    maxSeries: flags.maxMetricSeries,
    turnWaitUs: flags.turnWaitUs,
    onQuit: () => void stop('quitquitquit'),
  })
  let stopping = false
  const stop = async (reason: string) => {
    if (stopping) process.exit(EXIT.ok)
    stopping = true
    log.info('draining', { reason, connections: agent.planes.connectionCount })
    await agent.stop(flags.drainTimeS * 1000)
    process.exit(EXIT.ok)
  }
  process.on('SIGTERM', () => void stop('SIGTERM'))
  process.on('SIGINT', () => void stop('SIGINT'))
  process.on('uncaughtException', (error) => log.error('bug', { error: error.stack }))
  process.on('unhandledRejection', (reason) => log.error('bug', { error: String(reason) }))
  giveBackMemory()
  await agent.start()
  endSmallStart()
  log.info('proxy started', {
    node: agent.bootstrap.node?.id ?? '',
    listeners: agent.planes.listeners().map(({ name }) => name),
    workers: flags.workers,
    admin: agent.admin?.port ?? 0,
  })
}
