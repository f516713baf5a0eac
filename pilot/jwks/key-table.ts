import { generateKeyPairSync } from 'node:crypto'
import type { JWTRule } from '../../crds/kinds/request-authentication.ts'
import { keySourceOf } from './key-source.ts'

/** A JSON Web Key Set. The same object for as long as nothing in it changes. */
export interface Keys {
  readonly text: string
}

/** The keys that rules have now. */
export interface KeyTable {
  keysOf(rule: JWTRule): Keys
}

/** Who knows the keys of rules, and learns them. */
export interface KeyProvider {
  /** These are the rules that there are. */
  use(rules: readonly JWTRule[]): void
  /** Some keys may be known in a moment. */
  readonly isWaiting: boolean
  /** What is known now; it does not change. */
  snapshot(): KeyTable
  /** Told when another snapshot would have other keys. Returns what ends that. */
  onChange(listener: () => void): () => void
}

const inlined = new Map<string, WeakRef<Keys>>()

export function inlineKeys(text: string): Keys {
  const known = inlined.get(text)?.deref()
  if (known !== undefined) return known
  const keys = { text }
  inlined.set(text, new WeakRef(keys))
  return keys
}

let unusable: Keys | undefined

/**
 * Keys by which every token fails: a public key whose private half nobody has (Istio's fake JWKS). They stand where the right
 * ones are not known, since a proxy without any would refuse its configuration.
 */
export function unusableKeys(): Keys {
  if (unusable === undefined) {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'nobody', alg: 'RS256', use: 'sig' }
    unusable = { text: JSON.stringify({ keys: [jwk] }) }
  }
  return unusable
}

/** Where nothing is fetched: only keys that are written out are known. */
export const INLINE_KEYS: KeyProvider & KeyTable = {
  keysOf(rule) {
    const source = keySourceOf(rule)
    return source.kind === 'inline' ? inlineKeys(source.text) : unusableKeys()
  },
  use() {},
  isWaiting: false,
  snapshot: () => INLINE_KEYS,
  onChange: () => () => {},
}
