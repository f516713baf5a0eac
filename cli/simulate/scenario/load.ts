import { readFileSync } from 'node:fs'
import { composeDocument } from '../../../config/parse/compose.ts'
import { lineAt } from '../../../config/parse/lines.ts'
import { isPlainObject } from '../../../config/parse/objects.ts'
import { Report } from '../../../config/report.ts'
import { withoutNulls } from '../../../config/validate/fields.ts'
import { checkSchema } from '../../../config/validate/schema.ts'
import { errorText } from '../../../lib/errors.ts'
import { CliError } from '../../exit.ts'
import type { ScenarioModel } from './model.ts'
import { resolveScenario } from './resolve.ts'
import { Scenario } from './schema.ts'

const SCHEMA = { schema: Scenario }

/** Reads a scenario. Throws a CliError that says of everything that is wrong where it is written. */
export async function loadScenario(file: string): Promise<ScenarioModel> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (thrown) {
    throw new CliError(`${file}: cannot be read: ${errorText(thrown)}`)
  }
  return readScenario(file, text)
}

export async function readScenario(file: string, text: string): Promise<ScenarioModel> {
  const composed = composeDocument(text)
  if (!composed.ok)
    throw new CliError(composed.problems.map(({ line, message }) => `${file}:${line}: ${message}`).join('\n'))
  const { value, lines } = composed
  const report = new Report()
  const refuseIfWrong = () => {
    const errors = report.problems.filter(({ severity }) => severity === 'error')
    if (errors.length === 0) return
    throw new CliError(errors.map(({ path, message }) => `${file}:${lineAt(lines, path)}: ${message}`).join('\n'))
  }
  if (!isPlainObject(value)) report.error([], 'a scenario is a map with duration, services and clients')
  refuseIfWrong()
  const scenario = withoutNulls(Scenario, value) as Scenario
  checkSchema(SCHEMA, scenario, report)
  refuseIfWrong()
  const model = await resolveScenario(file, scenario, (path) => lineAt(lines, path), report)
  refuseIfWrong()
  return model
}
