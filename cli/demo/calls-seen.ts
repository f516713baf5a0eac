import { fetchText } from './http.ts'
import type { Workload } from './layout.ts'

/** How many calls the sidecar of a workload has passed to its app, by the sidecar's own admin page. */
export async function callsSeenBy({ admin }: Workload): Promise<number> {
  return totalOfInbound((await fetchText(admin, '/clusters')).body)
}

/** The sum of `rq_total` over the hosts of inbound clusters, of Envoy's text form of /clusters. */
export function totalOfInbound(clusters: string): number {
  let total = 0
  for (const line of clusters.split('\n')) {
    if (line.startsWith('inbound|')) total += Number(/::rq_total::(\d+)$/.exec(line)?.[1] ?? 0)
  }
  return total
}
