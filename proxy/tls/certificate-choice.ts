import { X509Certificate } from 'node:crypto'
import { parseAltNames } from './alt-names.ts'
import type { CertificateMaterial } from './material.ts'

/**
 * Something by server name, chosen by certificate: the whole name, else `*.` and what follows its first label, else the
 * fallback.
 */
export class CertificateChoice<T> {
  readonly fallback: T
  readonly #byName: ReadonlyMap<string, T>

  constructor(fallback: T, byName: ReadonlyMap<string, T>) {
    this.fallback = fallback
    this.#byName = byName
  }

  /** Whether the server name makes a difference. */
  get needsServerName(): boolean {
    return this.#byName.size > 0
  }

  find(serverName: string): T {
    const dot = serverName.indexOf('.')
    const wildcard = dot < 0 ? undefined : this.#byName.get(`*${serverName.slice(dot)}`)
    return this.#byName.get(serverName) ?? wildcard ?? this.fallback
  }
}

interface Known {
  readonly index: number
  readonly keyType: string
}

/**
 * Which of several certificates stand for which name: those whose DNS names (or whose common name, when they have none)
 * hold it, the first of each kind of key; for every other name the first of each kind of all. What `create` makes of
 * one such set is used for each name of it. Throws when a chain is no PEM certificate.
 */
export function chooseCertificates<T>(
  certificates: readonly CertificateMaterial[],
  create: (chosen: readonly CertificateMaterial[]) => T,
): CertificateChoice<T> {
  const all: Known[] = []
  const named = new Map<string, Known[]>()
  if (certificates.length > 1) {
    for (const [index, { chain }] of certificates.entries()) {
      if (chain === undefined) continue
      const x509 = new X509Certificate(chain)
      const known = { index, keyType: x509.publicKey.asymmetricKeyType ?? '' }
      all.push(known)
      for (const name of namesOf(x509)) named.set(name, [...(named.get(name) ?? []), known])
    }
  }
  if (all.length === 0) return new CertificateChoice(create(certificates), new Map())
  const made = new Map<string, T>()
  const choose = (known: readonly Known[]): T => {
    const indices = firstOfEachKind(known)
    const key = indices.join()
    const value = made.get(key) ?? create(certificates.filter((_, i) => indices.includes(i)))
    made.set(key, value)
    return value
  }
  const fallback = choose(all)
  const byName = new Map([...named].map(([name, known]) => [name, choose(known)]))
  return new CertificateChoice(fallback, made.size > 1 ? byName : new Map())
}

function firstOfEachKind(known: readonly Known[]): number[] {
  const kinds = new Map<string, number>()
  for (const { keyType, index } of known) if (!kinds.has(keyType)) kinds.set(keyType, index)
  return [...kinds.values()]
}

function namesOf(certificate: X509Certificate): string[] {
  const names = parseAltNames(certificate.subjectAltName).filter((name) => name.type === 'dns')
  if (names.length > 0) return names.map((name) => name.value.toLowerCase())
  const commonName = certificate.toLegacyObject().subject?.CN
  return typeof commonName === 'string' ? [commonName.toLowerCase()] : []
}
