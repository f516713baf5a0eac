import type { HopShape } from '../hop.ts'
import { routeTable } from '../routes.ts'
import type { Engine } from '../subjects.ts'

/** A table of ten routes of which the last one matches: what every case has that is not about routes. */
export const PLAIN: HopShape = {
  protocol: 'http1',
  downstreamTls: 'none',
  upstreamTls: 'none',
  routes: routeTable(10),
  extraClusters: 0,
}

/** Two proxies that trust each other's certificates: a client's sidecar and a server's. */
export const SIDECARS: readonly HopShape[] = [
  { ...PLAIN, upstreamTls: 'mutual' },
  { ...PLAIN, downstreamTls: 'mutual' },
]

export const ALL_ENGINES: readonly Engine[] = ['nginx', 'haproxy', 'envoy', 'lateen', 'lateen before']
export const SMALL_BYTES = 64
