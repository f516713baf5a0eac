import pc from 'picocolors'
import { type Explanation, originText, type SymbolicCall } from '../../proxy/decide/explain.ts'

/** An explanation for people: what was decided, then every candidate that was looked at and why it was passed over. */
export function formatExplanation(call: SymbolicCall, from: string, result: Explanation): string {
  const lines = [`${call.method} ${call.url.href}${from === '' ? '' : ` from ${from}`}`, '', outcomeLine(result), '']
  for (const [label, value] of facts(result)) lines.push(`  ${label.padEnd(16)}${value}`)
  lines.push('', 'Candidates')
  for (const { candidate, matched, reason, origin } of result.trace) {
    const mark = matched ? pc.green('+') : pc.dim('-')
    lines.push(`  ${mark} ${matched ? candidate : pc.dim(candidate)}`)
    lines.push(`      ${reason}${origin === null ? '' : `  [${originText(origin)}]`}`)
  }
  return `${lines.join('\n')}\n`
}

function outcomeLine(result: Explanation): string {
  if (result.error !== null) return pc.bold(pc.red(`goes nowhere: ${result.error}`))
  if (result.asks !== null) return pc.bold(`would ask ${result.asks}`)
  if (result.redirect !== null) return pc.bold(`is redirected: ${result.redirect.status} ${result.redirect.location}`)
  if (result.directResponse !== null) return pc.bold(`is answered by the proxy: ${result.directResponse.status}`)
  return pc.bold(`goes to ${result.cluster}`)
}

function facts(result: Explanation): [label: string, value: string][] {
  const rows: [string, string | null][] = [
    ['decided by', result.origin === null ? null : originText(result.origin)],
    ['listener', result.listener],
    ['filter chain', result.filterChain],
    ['virtual host', result.virtualHost],
    ['route', result.route === '' ? '(unnamed)' : result.route],
    ['cluster', result.cluster],
    ['subset', result.subset],
    ...result.choices.map((c): [string, string] => ['  of', `${c.cluster}  ${c.weight}/${c.of}`]),
    ['host', result.host],
    ['path', result.path],
    ['timeout', result.timeoutMs === null ? null : result.timeoutMs === 0 ? 'none' : `${result.timeoutMs}ms`],
    ['retries', result.retries === null ? null : `${result.retries.attempts} on ${result.retries.on.join(', ')}`],
    ['mirrored to', result.mirrors.length === 0 ? null : result.mirrors.join(', ')],
    ['balanced by', result.balancer === null ? null : result.balancer.replaceAll('_', ' ')],
    ['hash', hashText(result)],
    ['fault', faultText(result)],
    ['tls', tlsText(result)],
    ['token', tokenText(result)],
    ['authorization', result.asks === null ? authorizationText(result) : null],
    ...Object.entries(result.requestHeaders ?? {}).map(([k, v]): [string, string] => ['request header', `${k}: ${v}`]),
    ...Object.entries(result.directResponse?.headers ?? {}).map(([k, v]): [string, string] => [
      'response header',
      `${k}: ${v}`,
    ]),
  ]
  return rows.filter((row): row is [string, string] => row[1] !== null)
}

function hashText({ hash }: Explanation): string | null {
  if (hash === null) return null
  return `${hash.value ?? 'none, so any host may come'} (${hash.of.join(', ')})`
}

function tlsText({ tls: { mode, sni, peer } }: Explanation): string {
  const parts = [mode, ...(sni === '' ? [] : [`asks for ${sni}`]), ...(peer === '' ? [] : [`peer ${peer}`])]
  return parts.join(', ')
}

/** null where no token was looked for. */
export function tokenText({ token }: Explanation): string | null {
  if (token === null) return null
  const { verdict, issuer, subject, reason } = token
  if (verdict === 'none') return 'none, and the call may do without'
  return verdict === 'refused'
    ? `refused: ${reason}`
    : `accepted, of ${issuer || 'no issuer'} for ${subject || 'nobody'}`
}

export function authorizationText({ authorization: { verdict, policy, rule, origin } }: Explanation): string {
  if (policy === null) return verdict === 'deny' ? 'deny, since no policy allows it' : verdict
  const place = origin === null ? '' : `  [${originText(origin)}]`
  return `${verdict} by ${policy}${rule === null ? '' : ` rule ${rule}`}${place}`
}

function faultText(result: Explanation): string | null {
  if (result.fault === null) return null
  const parts: string[] = []
  if (result.fault.delayMs > 0) parts.push(`delay ${result.fault.delayMs}ms`)
  if (result.fault.abortStatus !== null) parts.push(`abort ${result.fault.abortStatus}`)
  return parts.join(', ')
}
