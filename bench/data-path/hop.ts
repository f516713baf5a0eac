import type { Certificates } from './certificates.ts'
import type { Route } from './routes.ts'

/** Who shows a certificate on a side of a hop. */
export type Tls = 'none' | 'server' | 'mutual'

/** What one proxy process does, whichever proxy it is. */
export interface HopShape {
  /** Spoken on both sides. */
  readonly protocol: 'http1' | 'http2'
  readonly downstreamTls: Tls
  readonly upstreamTls: Tls
  readonly routes: readonly Route[]
  /** Clusters that no route names. */
  readonly extraClusters: number
}

/** A shape with its ports and files: what configurations are written from. */
export interface Hop extends HopShape {
  readonly port: number
  /** Where its metrics are read. */
  readonly adminPort: number
  readonly upstreamPort: number
  /** Nothing listens here: where routes lead that must not match. */
  readonly deadPort: number
  readonly certificates: Certificates
  /** For what a proxy writes. */
  readonly dir: string
}
