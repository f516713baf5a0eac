import type { Explanation } from '../../proxy/decide/explain.ts'
import { authorizationText, tokenText } from '../explain/format.ts'
import { type Column, formatTable } from '../output/table.ts'
import type { AppliedRule } from './policies.ts'

/** The rules of a workload and, where a call was given, what becomes of it, for people. */
export function checkText(workload: string, policies: readonly AppliedRule[], result: Explanation | undefined): string {
  const lines = [
    policies.length === 0 ? `${workload} is under no AuthorizationPolicy: whoever reaches it may call it` : '',
  ]
  if (policies.length > 0) lines[0] = tableOf(policies)
  if (result !== undefined) {
    lines.push('', verdictLine(result))
    const token = tokenText(result)
    if (token !== null) lines.push(`token ${token}`)
    if (result.error !== null) lines.push(result.error)
    for (const { candidate, matched, reason } of result.trace)
      lines.push(`  ${matched ? '+' : '-'} ${candidate}: ${reason}`)
  }
  return `${lines.join('\n').trimEnd()}\n`
}

/** What is not known yet, or no longer asked, is not said to be allowed. */
function verdictLine(result: Explanation): string {
  if (result.asks !== null) return `would ask ${result.asks}`
  if (result.token?.verdict === 'refused') return 'refused for its token, before DENY and ALLOW are asked'
  return authorizationText(result)
}

function tableOf(policies: readonly AppliedRule[]): string {
  return formatTable(COLUMNS, policies).trimEnd()
}

const COLUMNS: readonly Column<AppliedRule>[] = [
  {
    header: 'action',
    value: ({ action, provider, dryRun }) =>
      action + (provider === null ? '' : ` (${provider})`) + (dryRun ? ' (dry run)' : ''),
  },
  { header: 'policy', value: ({ policy }) => policy },
  { header: 'rule', value: ({ rule }) => (rule === null ? '' : String(rule)) },
  { header: 'place', value: ({ file, line }) => `${file}:${line}` },
]
