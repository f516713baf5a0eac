import type { ClusterPlan, Plan } from '../plan/plan.ts'
import { socketFor } from '../plan/socket-match.ts'
import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'

/** How connections to a cluster's hosts are secured. */
export interface TlsExplained {
  /** `mixed`: some hosts are called another way than others. */
  mode: 'none' | 'tls' | 'mtls' | 'mixed'
  /** What is asked for; '' for nothing, or for the name in the request. */
  sni: string
  /** Who must answer: the names of which a certificate must have one, separated by commas. '' for anyone who is trusted. */
  peer: string
}

export function explainTls(plan: Plan, cluster: ClusterPlan): TlsExplained {
  const found = cluster.discovery === 'eds' ? plan.endpoints.get(cluster.edsServiceName) : cluster.endpoints
  const ways = new Set((found ?? []).map((endpoint) => socketFor(cluster, endpoint)))
  if (ways.size === 0) ways.add(cluster.tls)
  const secured = [...ways].find((way) => way !== undefined)?.latest
  if (secured === undefined) return { mode: 'none', sni: '', peer: '' }
  const mode = ways.size > 1 ? 'mixed' : secured.showsCertificate ? 'mtls' : 'tls'
  return { mode, sni: secured.serverName, peer: expectedNames(secured) }
}

/** A name that must be there to the letter is written as it is. */
function expectedNames({ peer }: UpstreamTlsPlan): string {
  return peer.names.map(({ matcher }) => /^exact "(.*)"$/.exec(matcher.describe)?.[1] ?? matcher.describe).join(', ')
}
