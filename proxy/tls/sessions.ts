import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'

interface KeptSession {
  readonly session: Buffer
  /** When the certificate ends that was checked in the handshake: resuming checks none. */
  readonly validToMs: number
}

/** Names by which one cluster asks are few, unless its requests choose them. */
const MAX_NAMES = 256

/**
 * The sessions of one cluster by the name that was asked for. They live as long as the plan they were agreed under:
 * a changed plan, which may trust others, begins without any.
 */
export class SessionStore {
  readonly #byName = new Map<string, KeptSession>()

  take(serverName: string, wallMs: number): Buffer | undefined {
    const kept = this.#byName.get(serverName)
    if (kept === undefined || kept.validToMs > wallMs) return kept?.session
    this.#byName.delete(serverName)
    return undefined
  }

  keep(serverName: string, session: Buffer, validToMs: number): void {
    this.#byName.delete(serverName)
    this.#byName.set(serverName, { session, validToMs })
    if (this.#byName.size > MAX_NAMES) this.#byName.delete(this.#byName.keys().next().value as string)
  }

  forget(serverName: string): void {
    this.#byName.delete(serverName)
  }
}

const stores = new WeakMap<UpstreamTlsPlan, SessionStore>()

export function sessionsOf(plan: UpstreamTlsPlan): SessionStore {
  let store = stores.get(plan)
  if (store === undefined) {
    store = new SessionStore()
    stores.set(plan, store)
  }
  return store
}
