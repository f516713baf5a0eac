import { createHash } from 'node:crypto'
import type { Subject } from '../cel/attributes.ts'
import { bytesOf } from './escape.ts'
import { type Operator, ofAny, orNothing } from './operator.ts'
import { isoTime } from './time-format.ts'

const peer = ({ facts }: Subject) => facts.tls?.peer

function peerNames(type: string): Operator {
  return ofAny((subject) => {
    const names = peer(subject)?.altNames.filter((name) => name.type === type) ?? []
    return names.length === 0 ? undefined : names.map(({ value }) => bytesOf(value)).join(',')
  })
}

/** As nginx and Envoy write a certificate into a header: PEM, percent-encoded. */
function encodedPem(raw: Buffer): string {
  const lines = raw.toString('base64').match(/.{1,64}/g) ?? []
  return encodeURIComponent(`-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`)
}

/** What is known of the client's connection by its handshake. */
export const TLS_OPERATORS: Readonly<Record<string, Operator>> = {
  DOWNSTREAM_TLS_VERSION: ofAny(({ facts }) => orNothing(facts.tls?.version)),
  DOWNSTREAM_TLS_CIPHER: ofAny(({ facts }) => orNothing(facts.tls?.cipher)),
  DOWNSTREAM_LOCAL_URI_SAN: ofAny(({ facts }) => orNothing(bytesOf(facts.tls?.localUris.join(',') ?? ''))),
  DOWNSTREAM_PEER_URI_SAN: peerNames('uri'),
  DOWNSTREAM_PEER_DNS_SAN: peerNames('dns'),
  DOWNSTREAM_PEER_IP_SAN: peerNames('ip'),
  DOWNSTREAM_PEER_EMAIL_SAN: peerNames('email'),
  DOWNSTREAM_PEER_SUBJECT: ofAny((subject) => orNothing(peer(subject)?.subject)),
  DOWNSTREAM_PEER_FINGERPRINT_256: ofAny((subject) => peer(subject)?.certificateHash),
  DOWNSTREAM_PEER_FINGERPRINT_1: ofAny((subject) => {
    const raw = peer(subject)?.raw
    return raw && createHash('sha1').update(raw).digest('hex')
  }),
  DOWNSTREAM_PEER_CERT: ofAny((subject) => {
    const raw = peer(subject)?.raw
    return raw && encodedPem(raw)
  }),
  DOWNSTREAM_PEER_CERT_V_END: ofAny((subject) => {
    const found = peer(subject)
    return found && isoTime(found.validToMs)
  }),
}
