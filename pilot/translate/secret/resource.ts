import { create } from '@bufbuild/protobuf'
import { DataSourceSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  CertificateValidationContextSchema,
  TlsCertificateSchema,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { type Secret, SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { certificateProblem, readCredential, rootsProblem } from '../../../config/credential/credential.ts'
import type { CredentialUse } from '../../../config/credential/uses.ts'
import type { SecretBody } from '../../../crds/kinds/secret.ts'

/** The secret that a proxy gets of this name, or why it is not given: what no proxy could use leaves its last one in force. */
export function secretResource(name: string, body: SecretBody, needs: CredentialUse['needs']): Secret | string {
  const credential = readCredential(body)
  const problem = needs === 'certificate' ? certificateProblem(credential) : rootsProblem(credential)
  if (problem !== '') return problem
  const { certificate, roots = '', crl } = credential
  if (needs === 'certificate' && certificate !== undefined) {
    const value = create(TlsCertificateSchema, {
      certificateChain: inline(certificate.chain),
      privateKey: inline(certificate.key),
    })
    return create(SecretSchema, { name, type: { case: 'tlsCertificate', value } })
  }
  const value = create(CertificateValidationContextSchema, {
    trustedCa: inline(roots),
    ...(crl !== undefined && { crl: inline(crl) }),
  })
  return create(SecretSchema, { name, type: { case: 'validationContext', value } })
}

function inline(text: string) {
  return create(DataSourceSchema, { specifier: { case: 'inlineBytes', value: Buffer.from(text) } })
}
