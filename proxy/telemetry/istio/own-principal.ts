import { X509Certificate } from 'node:crypto'
import type { UpstreamTlsPlan } from '../../plan/tls-plan.ts'
import { factsOf } from '../../tls/certificate-facts.ts'

const known = new WeakMap<UpstreamTlsPlan, string>()

/** The first URI in the certificate that is shown to servers; '' where none is. */
export function ownPrincipal(tls: UpstreamTlsPlan): string {
  let principal = known.get(tls)
  if (principal === undefined) {
    principal = read(tls)
    known.set(tls, principal)
  }
  return principal
}

function read({ certificates }: UpstreamTlsPlan): string {
  const pem = certificates?.chains[0]?.pem
  try {
    return pem === undefined ? '' : factsOf(new X509Certificate(pem)).uri
  } catch {
    return ''
  }
}
