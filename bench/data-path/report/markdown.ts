import type { Outcome } from '../outcome.ts'
import { rowsOf } from './rows.ts'
import { verdictText } from './verdict-text.ts'

/** A case's section of docs/performance.md, from its heading on. `measured` says when and how. */
export function sectionText(name: string, about: string, measured: string, outcomes: readonly Outcome[]): string {
  const [first] = outcomes
  const isOne = outcomes.length === 1 && first?.measure.title === about
  const tables = outcomes.map((outcome) => `${isOne ? '' : `${outcome.measure.title}:\n\n`}${outcomeMarkdown(outcome)}`)
  return `## ${name}\n\n${about}. ${measured}\n\n${tables.join('\n')}`
}

function outcomeMarkdown(outcome: Outcome): string {
  const { unit, reference } = outcome.measure
  const rows = rowsOf(outcome)
  const hasRate = rows.some((row) => row.requestsPerSecond !== '')
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`
  const head = ['proxy', unit, 'min..max', `of ${reference}`, 'min..max', ...(hasRate ? ['requests/s'] : [])]
  const body = rows.map((r) =>
    line([r.label, r.value, r.range, r.ratio, r.ratioRange, ...(hasRate ? [r.requestsPerSecond] : [])]),
  )
  const rule = head.map((_, i) => (i === 0 ? '---' : '--:'))
  const remarks = [verdictText(outcome, 'must'), verdictText(outcome, 'reach'), ...outcome.notes]
  return `${line(head)}${line(rule)}${body.join('')}\n${remarks.map((remark) => `- ${remark}\n`).join('')}`
}
