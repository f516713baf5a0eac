import type { SpiffeId } from '../../api/spiffe.ts'

/** Says whose a token is. */
export interface CallerCheck {
  /** undefined for a token that is not of this kind. Rejects with TOKEN_REFUSED for one that is, but is not to be believed. */
  identify(token: string): Promise<SpiffeId | undefined>
}

/** Whose a token is, by the first check that knows its kind; undefined when none does. */
export async function identifyCaller(checks: readonly CallerCheck[], token: string): Promise<SpiffeId | undefined> {
  for (const check of checks) {
    const identity = await check.identify(token)
    if (identity !== undefined) return identity
  }
  return undefined
}
