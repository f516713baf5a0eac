import type { ClientTLSSettings } from '../../crds/kinds/destination-rule.ts'
import type { ServerTLSSettings } from '../../crds/kinds/gateway.ts'

/** A Secret that settings name, and what of it is needed. */
export interface CredentialUse {
  readonly secret: string
  readonly needs: 'certificate' | 'roots'
  /** The field that names it, within the settings. */
  readonly path: readonly (string | number)[]
}

/** Modes in which a server shows a certificate of its own, and not one of the mesh. */
const SHOWING = new Set(['SIMPLE', 'MUTUAL', 'OPTIONAL_MUTUAL'])

/** What a gateway's server needs: its certificates, and, where it asks for its clients', the roots they must lead to. */
export function serverCredentials(tls: ServerTLSSettings | undefined): readonly CredentialUse[] {
  const { mode = 'PASSTHROUGH', credentialName = '', credentialNames = [], caCertCredentialName = '' } = tls ?? {}
  if (!SHOWING.has(mode)) return []
  // Istio: the list goes before the single name.
  const shown: CredentialUse[] =
    credentialNames.length > 0
      ? credentialNames.map((secret, i) => ({ secret, needs: 'certificate', path: ['credentialNames', i] }))
      : credentialName === ''
        ? []
        : [{ secret: credentialName, needs: 'certificate', path: ['credentialName'] }]
  if (mode === 'SIMPLE') return shown
  if (caCertCredentialName !== '') {
    return [...shown, { secret: caCertCredentialName, needs: 'roots', path: ['caCertCredentialName'] }]
  }
  const first = shown[0]
  return first === undefined || tls?.caCertificates ? shown : [...shown, { ...first, needs: 'roots' }]
}

/** What a client needs: the server's roots, and, where it is to show a certificate, its own. */
export function clientCredentials(tls: ClientTLSSettings | undefined): readonly CredentialUse[] {
  const { mode, credentialName: secret = '', insecureSkipVerify = false } = tls ?? {}
  if (secret === '' || (mode !== 'SIMPLE' && mode !== 'MUTUAL')) return []
  const path = ['credentialName']
  const uses: CredentialUse[] = []
  if (mode === 'MUTUAL') uses.push({ secret, needs: 'certificate', path })
  if (!insecureSkipVerify) uses.push({ secret, needs: 'roots', path })
  return uses
}

/** Istio looks for the roots in a Secret of this name first, then in the one with the certificate. */
export const ROOTS_SUFFIX = '-cacert'
