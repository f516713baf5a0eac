import type { ClientType } from './resource-types.ts'

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
