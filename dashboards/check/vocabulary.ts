import { CATALOGUE, seriesOf } from '../catalogue.ts'
import { RECORDING_RULES } from '../rules/recording.ts'
import { namesIn } from './names.ts'

const KNOWN = new Map<string, ReadonlySet<string>>([
  ...CATALOGUE.flatMap((entry) => [...seriesOf(entry)]),
  ...RECORDING_RULES.map(({ record, labels }) => [record, new Set(labels)] as const),
])

/** What an expression names that nobody exposes or records. */
export function unknownNames(expression: string): string[] {
  const { selectors, grouped } = namesIn(expression)
  const problems = selectors.length === 0 ? ['names no metric'] : []
  const labelsOfAll = new Set<string>()
  for (const { metric, labels } of selectors) {
    const known = KNOWN.get(metric)
    if (known === undefined) {
      problems.push(`no such metric: ${metric}`)
      continue
    }
    for (const label of known) labelsOfAll.add(label)
    problems.push(...labels.filter((label) => !known.has(label)).map((label) => `${metric} has no label ${label}`))
  }
  const strange = grouped.filter((label) => !labelsOfAll.has(label))
  return [...problems, ...strange.map((label) => `none of its metrics has the label ${label}`)]
}
