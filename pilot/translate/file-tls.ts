import { create } from '@bufbuild/protobuf'
import {
  type CertificateValidationContext,
  TlsCertificateSchema,
} from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import type { CommonTlsContext } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { canBeNamed, certificateFileName, rootsFileName } from './secret/files.ts'
import { secretConfig, validationBy } from './secret/names.ts'
import { fileSource } from './tls-messages.ts'

/*
 * Files of the proxy's machine in a TLS context: as secrets, so that proxies read them again when they change, and in the context
 * itself where a path cannot stand in a secret's name.
 */

/** Paths of a certificate chain and of its key. */
export type FilePair = readonly [chain: string, key: string]

export function fileCertificates(
  pairs: readonly FilePair[],
): Partial<Pick<CommonTlsContext, 'tlsCertificates' | 'tlsCertificateSdsSecretConfigs'>> {
  if (pairs.length === 0) return {}
  // A context has all of them the one way or all the other.
  if (canBeNamed(...pairs.flat())) {
    return { tlsCertificateSdsSecretConfigs: pairs.map((pair) => secretConfig(certificateFileName(...pair))) }
  }
  return {
    tlsCertificates: pairs.map(([chain, key]) =>
      create(TlsCertificateSchema, { certificateChain: fileSource(chain), privateKey: fileSource(key) }),
    ),
  }
}

/** `context` by these roots, and without those that are revoked (`crl`, '' for none). */
export function fileValidation(
  context: CertificateValidationContext,
  roots: string,
  crl: string,
): CommonTlsContext['validationContextType'] {
  if (canBeNamed(roots, crl)) return validationBy(context, secretConfig(rootsFileName(roots, crl)))
  context.trustedCa = fileSource(roots)
  if (crl !== '') context.crl = fileSource(crl)
  return { case: 'validationContext', value: context }
}
