import { create } from '@bufbuild/protobuf'
import { AddressSchema, SocketAddressSchema } from '../../../api/gen/envoy/config/core/v3/address_pb.js'
import {
  type AttributeContext_Peer,
  AttributeContext_PeerSchema,
} from '../../../api/gen/envoy/service/auth/v3/attribute_context_pb.js'
import { toPem } from '../../../lib/x509/pem.ts'
import type { ConnectionFacts } from '../../decide/connection-facts.ts'
import type { PeerIdentity } from '../../tls/peer.ts'

/**
 * Who has called, as a server of verdicts is told; with the certificate, in PEM with percent escapes, where that is asked for. Names
 * that nobody has verified are not told as the caller's: whoever shows a certificate has written them.
 */
export function sourcePeer(facts: ConnectionFacts, includesCertificate: boolean): AttributeContext_Peer {
  const identity = facts.tls?.peer
  const certificate =
    includesCertificate && identity !== undefined ? encodeURIComponent(toPem('CERTIFICATE', identity.raw)) : ''
  return peer(facts.sourceAddress, facts.sourcePort, sourcePrincipal(facts), certificate)
}

/** The caller's name, as far as it was verified; '' for none. */
export function sourcePrincipal({ tls }: ConnectionFacts): string {
  return tls?.isPeerVerified === true ? principalOf(tls.peer) : ''
}

export function destinationPeer({ destinationAddress, destinationPort, tls }: ConnectionFacts): AttributeContext_Peer {
  return peer(destinationAddress, destinationPort, tls?.localUris[0] ?? '', '')
}

function peer(address: string, port: number, principal: string, certificate: string): AttributeContext_Peer {
  const socketAddress = create(SocketAddressSchema, { address, portSpecifier: { case: 'portValue', value: port } })
  return create(AttributeContext_PeerSchema, {
    address: create(AddressSchema, { address: { case: 'socketAddress', value: socketAddress } }),
    principal,
    certificate,
  })
}

/** The first URI of the certificate, else its first DNS name, else its subject. */
function principalOf(identity: PeerIdentity | undefined): string {
  if (identity === undefined) return ''
  return identity.uri || (identity.altNames.find(({ type }) => type === 'dns')?.value ?? identity.subject)
}
