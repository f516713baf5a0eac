import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { analyze, sortFindings } from '../../config/analysis/analyze.ts'
import type { AnalysisOptions } from '../../config/analysis/context.ts'
import type { Finding, Severity } from '../../config/finding.ts'
import type { ConfigObject } from '../../config/object.ts'
import { DirectorySource } from '../../config/sources/directory.ts'
import type { AuthorizationPolicyBody } from '../../crds/kinds/authorization-policy.ts'
import { systemClock } from '../../lib/clock.ts'
import { ModelCompiler } from '../../mixer/rules/model.ts'
import { unknownProviders } from '../../pilot/mesh/extension-providers.ts'
import { DEFAULT_MESH_OPTIONS, type MeshOptions } from '../../pilot/mesh/options.ts'
import type { CliCommand } from '../command.ts'
import { CliError, EXIT } from '../exit.ts'
import { readMeshConfig } from '../mesh-config.ts'
import { formatFinding } from '../output/findings.ts'

const RANK: Record<string, number> = { info: 0, warning: 1, error: 2 }

interface AnalyzeFlags {
  json?: true
  failureThreshold: string
  outputThreshold: string
  meshConfig?: string
}

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('analyze')
      .description('check configuration files; exit 79 when something is found')
      .argument('<path...>', 'files or directories')
      .option('--json', 'print the findings as a JSON array')
      .option('--failure-threshold <severity>', 'least severity that fails: info, warning, error', 'warning')
      .option('--output-threshold <severity>', 'least severity that is printed', 'info')
      .option('--mesh-config <file>', "the pilot's, to check that too, and by it")
      .action(run)
  },
}

async function run(paths: string[], flags: AnalyzeFlags): Promise<void> {
  const failureRank = rankOf(flags.failureThreshold)
  const outputRank = rankOf(flags.outputThreshold)
  for (const path of paths) if (!existsSync(path)) throw new CliError(`${path}: no such file or directory`)
  const findings = (await findingsOf(paths, flags.meshConfig)).filter(
    (finding) => rankOf(finding.severity) >= outputRank,
  )
  if (flags.json) console.log(JSON.stringify(findings, null, 2))
  else if (findings.length === 0) console.error(`✔ No validation issues found when analyzing ${paths.join(', ')}.`)
  else for (const finding of findings) console.log(formatFinding(finding))
  if (findings.some((finding) => rankOf(finding.severity) >= failureRank)) process.exitCode = EXIT.findings
}

/** What the files say of themselves, and what they say of each other. */
export async function findingsOf(paths: readonly string[], meshConfigFile?: string): Promise<Finding[]> {
  const { options, findings: ofMesh } = readMeshConfig(meshConfigFile)
  const source = await DirectorySource.open(paths, { clock: systemClock, watch: false })
  try {
    const { objects, findings } = source.current()
    const mesh = { ...DEFAULT_MESH_OPTIONS, ...options }
    // Without the mesh's configuration nobody knows whom policies may ask.
    const providers = meshConfigFile === undefined ? [] : unknownProviders(policiesOf(objects), mesh)
    return sortFindings([
      ...ofMesh,
      ...findings,
      ...providers,
      ...new ModelCompiler({ rootNamespace: mesh.rootNamespace, domain: mesh.domain }).compile(objects).findings,
      ...analyze(objects, { ...analysisOptions(options), nowMs: systemClock.wallMs() }),
    ])
  } finally {
    source.close()
  }
}

function policiesOf(objects: readonly ConfigObject[]): readonly ConfigObject<AuthorizationPolicyBody>[] {
  const policies = objects.filter(({ kind }) => kind === 'AuthorizationPolicy')
  return policies as unknown as readonly ConfigObject<AuthorizationPolicyBody>[]
}

function analysisOptions({
  rootNamespace,
  trustDomain,
  trustDomainAliases = [],
}: Partial<MeshOptions>): AnalysisOptions {
  return {
    ...(rootNamespace !== undefined && { rootNamespace }),
    ...(trustDomain !== undefined && { trustDomains: [trustDomain, ...trustDomainAliases] }),
  }
}

function rankOf(severity: string): number {
  const rank = RANK[severity.toLowerCase() as Severity]
  if (rank === undefined) throw new CliError(`unknown severity ${severity}: info, warning or error`, EXIT.usage)
  return rank
}
