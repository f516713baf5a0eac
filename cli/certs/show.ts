import type { Certz, ProxyCertificates } from '../../pilot/http/certz.ts'
import { fetchJson } from '../admin-client.ts'
import { CliError, EXIT } from '../exit.ts'
import { formatTable } from '../output/table.ts'

/** What a pilot says of its authority. Throws a CliError when it has none. */
export async function certificatesOf(pilot: string): Promise<Certz> {
  const state = (await fetchJson(pilot, '/debug/certz')) as Certz | { error: string }
  if ('error' in state) throw new CliError(`${pilot}: ${state.error}`, EXIT.badInput)
  return state
}

export async function showCertificates(pilots: readonly string[], asJson: boolean): Promise<void> {
  const states: Record<string, Certz> = {}
  for (const pilot of pilots) states[pilot] = await certificatesOf(pilot)
  if (asJson) console.log(JSON.stringify(states, null, 2))
  else for (const [pilot, state] of Object.entries(states)) process.stdout.write(formatState(pilot, state))
}

const PHASES = {
  steady: 'no rotation is under way',
  spreading: 'the new root is being spread; the old authority signs',
  switched: 'the new authority signs; the old root is still trusted',
}

function formatState(pilot: string, { phase, issuer, roots, proxies, certificates, blockers }: Certz): string {
  const columns = [
    { header: 'proxy', value: (p: ProxyCertificates) => p.node },
    { header: 'roots', value: (p: ProxyCertificates) => p.roots },
    { header: 'signed by', value: (p: ProxyCertificates) => p.certificate?.issuer ?? 'not known here' },
    { header: 'until', value: (p: ProxyCertificates) => p.certificate?.until ?? '-' },
  ]
  return [
    `pilot ${pilot}: ${PHASES[phase]}`,
    `signs by ${short(issuer.fingerprint)}, until ${issuer.until}; ${certificates} certificates are in use`,
    ...roots.map(({ fingerprint, until }) => `trusts ${short(fingerprint)}, until ${until}`),
    '',
    formatTable(columns, proxies),
    ...(blockers.length === 0 ? [] : ['the next step must wait:', ...blockers.map((reason) => `  ${reason}`), '']),
  ].join('\n')
}

/** Enough of a fingerprint to tell one from another. */
function short(fingerprint: string): string {
  return fingerprint.split(':').slice(0, 8).join(':')
}
