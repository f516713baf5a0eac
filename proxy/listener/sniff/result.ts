/** What looking at the first bytes of a connection gave. */
export const SNIFF = {
  /** It cannot be told yet. */
  more: 0,
  /** It is what was looked for; what it says has been written down. */
  found: 1,
  /** It is something else. */
  absent: 2,
  /** It is broken: nothing that follows can be trusted. */
  broken: 3,
} as const

export type SniffResult = (typeof SNIFF)[keyof typeof SNIFF]

/** More than this is never looked at (Envoy's bound of a ClientHello, too). */
export const MAX_SNIFFED_BYTES = 64 * 1024
