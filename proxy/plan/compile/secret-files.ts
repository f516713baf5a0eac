import type { Secret } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { pathOf } from './data-source.ts'

/** The files that a secret names, whether they are there or not. */
export function filesOfSecret({ type }: Secret): string[] {
  switch (type.case) {
    case 'tlsCertificate': {
      const { certificateChain, privateKey, pkcs12, password } = type.value
      return named([certificateChain, privateKey, pkcs12, password])
    }
    case 'validationContext':
      return named([type.value.trustedCa, type.value.crl])
    case 'sessionTicketKeys':
      return named(type.value.keys)
    default:
      return []
  }
}

function named(sources: readonly Parameters<typeof pathOf>[0][]): string[] {
  return sources.map(pathOf).filter((path) => path !== '')
}
