import type { TokenBucketPlan, TokenSource } from './token-bucket.ts'

/** Has tokens for everybody and takes none: for calls that nobody makes. */
export class SymbolicTokens implements TokenSource {
  remaining = 0
  readonly resetMs = 0

  take({ maxTokens }: TokenBucketPlan): boolean {
    this.remaining = maxTokens
    return true
  }
}
