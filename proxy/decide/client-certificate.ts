import { toPem } from '../../lib/x509/pem.ts'
import type { ClientCertificatePlan } from '../plan/plan.ts'
import type { RequestHead } from '../stream/message.ts'
import type { PeerIdentity, TlsFacts } from '../tls/peer.ts'

const HEADER = 'x-forwarded-client-cert'

/**
 * What is said onward of the client's certificate (Envoy's mutateXfccRequestHeader). Without a plan nothing is, and what a client
 * says of itself is taken away: it is for whoever has seen the certificate to say.
 */
export function forwardClientCertificate(
  plan: ClientCertificatePlan | undefined,
  head: RequestHead,
  tls: TlsFacts | undefined,
): void {
  if (plan?.mode === 'always_forward_only') return
  const peer = tls?.peer
  if (plan === undefined || tls === undefined || peer === undefined) {
    head.remove(HEADER)
    return
  }
  if (plan.mode === 'forward_only') return
  const element = elementOf(plan, tls, peer)
  const before = plan.mode === 'append_forward' ? head.get(HEADER) : undefined
  head.set(HEADER, before === undefined ? element : `${before},${element}`)
}

/** One for all requests of a connection. */
const elements = new WeakMap<TlsFacts, { readonly plan: ClientCertificatePlan; readonly text: string }>()

function elementOf(plan: ClientCertificatePlan, tls: TlsFacts, peer: PeerIdentity): string {
  const known = elements.get(tls)
  if (known?.plan === plan) return known.text
  const text = makeElement(plan, tls, peer)
  elements.set(tls, { plan, text })
  return text
}

function makeElement(
  { cert, chain, subject, uri, dns }: ClientCertificatePlan,
  tls: TlsFacts,
  peer: PeerIdentity,
): string {
  const namesOf = (type: string) => peer.altNames.filter((name) => name.type === type).map((name) => name.value)
  const parts = [...tls.localUris.map((name) => `By=${name}`), `Hash=${peer.certificateHash}`]
  if (cert) parts.push(`Cert="${pemForUrl([peer.raw])}"`)
  if (chain) parts.push(`Chain="${pemForUrl(peer.chain())}"`)
  // These two are there even when there is nothing to say.
  if (subject) parts.push(`Subject="${peer.subject}"`)
  if (uri) parts.push(...(peer.uri === '' ? ['URI='] : namesOf('uri').map((name) => `URI=${name}`)))
  if (dns) parts.push(...namesOf('dns').map((name) => `DNS=${name}`))
  return parts.join(';')
}

const ESCAPED: Readonly<Record<string, string>> = { '\n': '%0A', ' ': '%20', '+': '%2B', '/': '%2F', '=': '%3D' }

/** PEM with what Envoy escapes of it. */
function pemForUrl(certificates: readonly Buffer[]): string {
  const pem = certificates.map((der) => toPem('CERTIFICATE', der)).join('')
  return pem.replace(/[\n +/=]/g, (character) => ESCAPED[character] as string)
}
