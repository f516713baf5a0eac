import type { IncomingResource } from './resource-cache.ts'
import type { ClientType } from './resource-types.ts'

/** Who takes what comes on a stream, and says what is to be asked for. */
export interface ResourceSink {
  /** Returns the text of the refusal, or '' to acknowledge. */
  acceptSotw(type: ClientType, incoming: readonly IncomingResource[]): string
  acceptDelta(type: ClientType, incoming: readonly IncomingResource[], removed: readonly string[]): string
  /** Versions held, to tell a server on a new delta stream. */
  versions(type: ClientType): Record<string, string>
  /** Names of a type that is not asked for as a whole. */
  wantedNames(type: ClientType): ReadonlySet<string>
  /** Whether any route table takes its virtual hosts one by one. */
  readonly usesVhds: boolean
}

/** What one stream has been asked and told about one type. Dies with the stream, but for `acceptedVersion`. */
export interface Subscription {
  readonly type: ClientType
  /** Names asked for; empty for wildcard types. */
  names: ReadonlySet<string>
  /** Nonce of the newest response on this stream. */
  nonce: string
  /** Version of the last response that was accepted (state of the world). */
  acceptedVersion: string
  /** Whether a request of this type has gone out on this stream. */
  isOpen: boolean
}

export function newSubscription(type: ClientType): Subscription {
  return { type, names: new Set(), nonce: '', acceptedVersion: '', isOpen: false }
}

export function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.size !== b.size) return false
  for (const name of a) if (!b.has(name)) return false
  return true
}
