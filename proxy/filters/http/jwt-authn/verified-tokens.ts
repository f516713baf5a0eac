import type { KeySet } from './key-set.ts'
import type { Jwt } from './token.ts'

/** A longer token is verified every time (Envoy's bound for its cache). */
const MAX_TOKEN_CHARS = 4096

/**
 * Tokens whose signature was found good, by their text, the last used kept: a token that comes again needs no second check.
 * What else is asked of a token, time above all, is judged every time.
 */
export class VerifiedTokens {
  readonly #limit: number
  readonly #tokens = new Map<string, { readonly jwt: Jwt; readonly keys: KeySet }>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** undefined when these keys were not found to have signed it. */
  get(text: string, keys: KeySet | undefined): Jwt | undefined {
    const found = this.#tokens.get(text)
    if (found === undefined) return undefined
    this.#tokens.delete(text)
    // Other keys may not have signed it.
    if (found.keys !== keys) return undefined
    this.#tokens.set(text, found)
    return found.jwt
  }

  add(jwt: Jwt, keys: KeySet): void {
    if (jwt.text.length > MAX_TOKEN_CHARS) return
    this.#tokens.delete(jwt.text)
    this.#tokens.set(jwt.text, { jwt, keys })
    if (this.#tokens.size <= this.#limit) return
    const [oldest] = this.#tokens.keys()
    if (oldest !== undefined) this.#tokens.delete(oldest)
  }

  /** It will not be good again. */
  drop(text: string): void {
    this.#tokens.delete(text)
  }

  get size(): number {
    return this.#tokens.size
  }
}
