import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { FieldPath } from '../../../config/object.ts'
import { isPlainObject } from '../../../config/parse/objects.ts'
import type { Report } from '../../../config/report.ts'
import { scanPaths } from '../../../config/sources/scan.ts'
import type { ConfigText } from './model.ts'

export interface Where {
  readonly file: string
  lineOf(path: FieldPath): number
  readonly report: Report
}

/**
 * What a list of paths and objects says, each path read relative to the scenario's file. The objects among them become one text in
 * which each stands on the line that it has in the scenario, so that findings name it.
 */
export async function configTexts(
  entries: readonly unknown[],
  path: FieldPath,
  { file, lineOf, report }: Where,
): Promise<ConfigText[]> {
  const texts: ConfigText[] = []
  let inline = ''
  let line = 1
  for (const [i, entry] of entries.entries()) {
    const at = [...path, i]
    if (isPlainObject(entry)) {
      const wanted = lineOf(at)
      // Two on one line stand on two.
      inline += '\n'.repeat(Math.max(0, wanted - line))
      line = Math.max(line, wanted) + 1
      inline += `--- ${JSON.stringify(entry)}\n`
    } else if (typeof entry === 'string') texts.push(...(await filesOf(entry, at, file, report)))
    else report.error(at, 'must be a path, or an object with apiVersion and kind')
  }
  return inline === '' ? texts : [...texts, { file, text: inline }]
}

async function filesOf(entry: string, at: FieldPath, file: string, report: Report): Promise<ConfigText[]> {
  const found = isAbsolute(entry) ? entry : join(dirname(file), entry)
  const { files, problems } = await scanPaths([found])
  for (const problem of problems) report.error(at, `${problem.path}: ${problem.message}`)
  if (files.length === 0 && problems.length === 0) report.error(at, `${found}: no such file, or no configuration in it`)
  return files.map((one) => ({ file: one.path, text: readFileSync(one.path, 'utf8') }))
}
