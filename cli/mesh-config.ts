import { readFileSync } from 'node:fs'
import type { Finding } from '../config/finding.ts'
import { loadMeshConfig } from '../config/mesh-config.ts'
import { errorText } from '../lib/errors.ts'
import { meshOptionsOf } from '../pilot/mesh/mesh-config.ts'
import type { MeshOptions } from '../pilot/mesh/options.ts'
import { CliError } from './exit.ts'
import { formatFinding } from './output/findings.ts'

export interface MeshConfigFile {
  readonly options: Partial<MeshOptions>
  /** What of the file is not honoured. */
  readonly findings: readonly Finding[]
}

/** The file of `--mesh-config`. Throws a CliError when it cannot be used. */
export function readMeshConfig(file: string | undefined): MeshConfigFile {
  if (file === undefined) return { options: {}, findings: [] }
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (thrown) {
    throw new CliError(`${file}: ${errorText(thrown)}`)
  }
  const { config, findings } = loadMeshConfig(file, text)
  if (findings.some(({ severity }) => severity === 'error')) {
    throw new CliError(findings.map(formatFinding).join('\n'))
  }
  return { options: meshOptionsOf(config), findings }
}
