import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { DirectorySource } from '../../config/sources/directory.ts'
import { systemClock } from '../../lib/clock.ts'
import { createLogger } from '../../lib/log.ts'
import type { CaOptions } from '../../pilot/ca/open.ts'
import { DEFAULT_MESH_OPTIONS } from '../../pilot/mesh/options.ts'
import type { MtlsMode } from '../../pilot/mesh/peer-authentication.ts'
import { Pilot } from '../../pilot/pilot.ts'
import type { CliCommand } from '../command.ts'
import { EXIT } from '../exit.ts'
import { exitWithParent, exitWithParentOption } from '../exit-with-parent.ts'
import { readMeshConfig } from '../mesh-config.ts'
import { formatFinding } from '../output/findings.ts'

interface PilotFlags {
  config: string[]
  xdsAddress: string
  httpAddress: string
  debounceMs: number
  domain: string
  meshConfig?: string
  trustDomain?: string
  defaultMtlsMode?: MtlsMode
  caDir?: string
  caAddress: string
  caServerName: string[]
  caTokens?: string
  caJwks?: string
  caJwtIssuer: string
  caJwtAudience: string[]
  jwksCa?: string
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
      .option('--mesh-config <file>', "settings of the whole mesh, with the field names of Istio's MeshConfig")
      .option('--trust-domain <domain>', 'the first part of every identity (cluster.local unless the mesh says other)')
      .addOption(
        new Option(
          '--default-mtls-mode <mode>',
          'how workloads are called that no PeerAuthentication speaks of (PERMISSIVE with an authority, else DISABLE)',
        ).choices(['DISABLE', 'PERMISSIVE', 'STRICT']),
      )
      .option(
        '--ca-dir <dir>',
        "sign workloads' certificates with this authority (files as in Istio's cacerts; made if absent)",
      )
      .option(
        '--ca-address <host:port>',
        'where the authority is asked, and configuration served too, by TLS',
        '127.0.0.1:15012',
      )
      .option('--ca-server-name <name...>', "names and addresses in the server's own certificate", CA_SERVER_NAMES)
      .option('--ca-tokens <dir>', 'a file for each workload with its token: <namespace>/<service account>')
      .option('--ca-jwks <file>', "the keys of Kubernetes' service accounts, as a JSON Web Key Set")
      .option(
        '--ca-jwt-issuer <issuer>',
        'who must have issued their tokens',
        'https://kubernetes.default.svc.cluster.local',
      )
      .option('--ca-jwt-audience <audience...>', 'what their tokens must be for', ['istio-ca'])
      .option(
        '--jwks-ca <file>',
        "PEM of certificates that servers of issuers' keys are believed by, beside the public ones",
      )
      .addOption(exitWithParentOption())
      .action(run)
  },
}

/** As Istio's agents and our own call it. */
const CA_SERVER_NAMES = [
  'localhost',
  '127.0.0.1',
  '::1',
  'istiod.istio-system.svc',
  'istiod.istio-system.svc.cluster.local',
]

function caOptions(flags: PilotFlags, trustDomain: string): CaOptions | undefined {
  if (flags.caDir === undefined) return undefined
  const { caJwks: keysFile, caJwtIssuer: issuer, caJwtAudience: audiences } = flags
  return {
    dir: flags.caDir,
    address: flags.caAddress,
    trustDomain,
    serverNames: flags.caServerName,
    tokensDir: flags.caTokens,
    serviceAccounts: keysFile === undefined ? undefined : { keysFile, issuer, audiences },
  }
}

async function run(flags: PilotFlags): Promise<void> {
  if (flags.exitWithParent) exitWithParent()
  const log = createLogger('pilot')
  const meshConfig = readMeshConfig(flags.meshConfig)
  for (const finding of meshConfig.findings) log.warning(formatFinding(finding))
  const trustDomain = flags.trustDomain ?? meshConfig.options.trustDomain ?? DEFAULT_MESH_OPTIONS.trustDomain
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
    mesh: {
      ...meshConfig.options,
      domain: flags.domain,
      trustDomain,
      ...(flags.defaultMtlsMode && { defaultMtlsMode: flags.defaultMtlsMode }),
    },
    ca: caOptions(flags, trustDomain),
    jwksCa: flags.jwksCa === undefined ? undefined : [readFileSync(flags.jwksCa, 'utf8')],
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
    ...(pilot.ca !== undefined && { ca: pilot.caPort }),
    generation: pilot.publisher.generation,
    objects: source.current().objects.length,
  })
}
