import { X509Certificate } from 'node:crypto'
import { parseAltNames } from './alt-names.ts'
import type { CertificateMaterial } from './material.ts'

/**
 * Which certificates stand for which name: those whose DNS names (or whose common name, when they have none) hold it,
 * the first of each kind of key; for every other name the first of each kind of all.
 */
export interface CertificateChoice {
  readonly fallback: readonly CertificateMaterial[]
  /** By lower-case name, wildcards as `*.rest`. Empty when there is nothing to choose. */
  readonly byName: ReadonlyMap<string, readonly CertificateMaterial[]>
  find(serverName: string): readonly CertificateMaterial[] | undefined
}

interface Known {
  readonly material: CertificateMaterial
  readonly keyType: string
}

/** Throws when a chain is no PEM certificate. */
export function certificateChoice(certificates: readonly CertificateMaterial[]): CertificateChoice {
  const all: Known[] = []
  const named = new Map<string, Known[]>()
  if (certificates.length > 1) {
    for (const material of certificates) {
      if (material.chain === undefined) continue
      const x509 = new X509Certificate(material.chain)
      const known = { material, keyType: x509.publicKey.asymmetricKeyType ?? '' }
      all.push(known)
      for (const name of namesOf(x509)) named.set(name, [...(named.get(name) ?? []), known])
    }
  }
  const byName = new Map([...named].map(([name, known]) => [name, oneOfEachKind(known)]))
  return {
    fallback: all.length === 0 ? certificates : oneOfEachKind(all),
    byName,
    find(serverName) {
      const name = serverName.toLowerCase()
      const dot = name.indexOf('.')
      return byName.get(name) ?? (dot < 0 ? undefined : byName.get(`*${name.slice(dot)}`))
    },
  }
}

function oneOfEachKind(known: readonly Known[]): CertificateMaterial[] {
  const kinds = new Map<string, CertificateMaterial>()
  for (const { keyType, material } of known) if (!kinds.has(keyType)) kinds.set(keyType, material)
  return [...kinds.values()]
}

function namesOf(certificate: X509Certificate): string[] {
  const names = parseAltNames(certificate.subjectAltName).filter((name) => name.type === 'dns')
  if (names.length > 0) return names.map((name) => name.value.toLowerCase())
  const commonName = certificate.toLegacyObject().subject?.CN
  return typeof commonName === 'string' ? [commonName.toLowerCase()] : []
}
