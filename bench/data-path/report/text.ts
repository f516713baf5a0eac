import { type Column, formatTable } from '../../../cli/output/table.ts'
import type { Outcome } from '../outcome.ts'
import { type Row, rowsOf } from './rows.ts'
import { verdictText } from './verdict-text.ts'

/** A measure for the terminal. */
export function outcomeText(outcome: Outcome): string {
  const { title, unit, reference } = outcome.measure
  const rows = rowsOf(outcome)
  const columns: Column<Row>[] = [
    { header: 'proxy', value: (r) => r.label },
    { header: unit, value: (r) => r.value, alignRight: true },
    { header: 'min..max', value: (r) => r.range, alignRight: true },
    { header: `of ${reference}`, value: (r) => r.ratio, alignRight: true },
    { header: 'min..max', value: (r) => r.ratioRange, alignRight: true },
  ]
  if (rows.some((r) => r.requestsPerSecond !== '')) {
    columns.push({ header: 'requests/s', value: (r) => r.requestsPerSecond, alignRight: true })
  }
  const lines = [verdictText(outcome, 'must'), verdictText(outcome, 'reach'), ...outcome.notes]
  return `${title}\n${formatTable(columns, rows)}${lines.map((line) => `  ${line}\n`).join('')}`
}
