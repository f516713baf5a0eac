import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { analyze, sortFindings } from '../../config/analysis/analyze.ts'
import type { Finding, Severity } from '../../config/finding.ts'
import { DirectorySource } from '../../config/sources/directory.ts'
import { systemClock } from '../../lib/clock.ts'
import type { CliCommand } from '../command.ts'
import { CliError, EXIT } from '../exit.ts'
import { formatFinding } from '../output/findings.ts'

const RANK: Record<string, number> = { info: 0, warning: 1, error: 2 }

interface AnalyzeFlags {
  json?: true
  failureThreshold: string
  outputThreshold: string
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
      .action(run)
  },
}

async function run(paths: string[], flags: AnalyzeFlags): Promise<void> {
  const failureRank = rankOf(flags.failureThreshold)
  const outputRank = rankOf(flags.outputThreshold)
  for (const path of paths) if (!existsSync(path)) throw new CliError(`${path}: no such file or directory`)
  const findings = (await findingsOf(paths)).filter((finding) => rankOf(finding.severity) >= outputRank)
  if (flags.json) console.log(JSON.stringify(findings, null, 2))
  else if (findings.length === 0) console.error(`✔ No validation issues found when analyzing ${paths.join(', ')}.`)
  else for (const finding of findings) console.log(formatFinding(finding))
  if (findings.some((finding) => rankOf(finding.severity) >= failureRank)) process.exitCode = EXIT.findings
}

/** What the files say of themselves, and what they say of each other. */
export async function findingsOf(paths: readonly string[]): Promise<Finding[]> {
  const source = await DirectorySource.open(paths, { clock: systemClock, watch: false })
  try {
    const { objects, findings } = source.current()
    return sortFindings([...findings, ...analyze(objects, { nowMs: systemClock.wallMs() })])
  } finally {
    source.close()
  }
}

function rankOf(severity: string): number {
  const rank = RANK[severity.toLowerCase() as Severity]
  if (rank === undefined) throw new CliError(`unknown severity ${severity}: info, warning or error`, EXIT.usage)
  return rank
}
