import type { TokenBucketPlan, TokenSource } from './token-bucket.ts'

/** A table that is made when the first token is taken: most proxies limit nobody. */
export class OwnTokens implements TokenSource {
  readonly #make: () => TokenSource
  #made: TokenSource | undefined

  constructor(make: () => TokenSource) {
    this.#make = make
  }

  take(bucket: TokenBucketPlan, value: string, connection: object | undefined): boolean {
    this.#made ??= this.#make()
    return this.#made.take(bucket, value, connection)
  }

  get remaining(): number {
    return this.#made?.remaining ?? 0
  }

  get resetMs(): number {
    return this.#made?.resetMs ?? 0
  }
}
