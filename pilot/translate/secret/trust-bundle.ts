import { create } from '@bufbuild/protobuf'
import { DataSourceSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import { CertificateValidationContextSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { type Secret, SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { TRUSTED_ROOTS } from '../../../api/names.ts'

/** The roots that the certificates of the mesh lead to, PEM, as what proxies check their peers by. */
export function trustBundleSecret(roots: string): Secret {
  const trustedCa = create(DataSourceSchema, { specifier: { case: 'inlineString', value: roots } })
  const value = create(CertificateValidationContextSchema, { trustedCa })
  return create(SecretSchema, { name: TRUSTED_ROOTS, type: { case: 'validationContext', value } })
}
