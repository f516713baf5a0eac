import { create } from '@bufbuild/protobuf'
import { CertificateValidationContextSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { SdsSecretConfigSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import {
  CommonTlsContext_CombinedCertificateValidationContextSchema as CombinedSchema,
  type CommonTlsContext,
  CommonTlsContextSchema,
} from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { adsSource } from './messages.ts'
import { subjectAltNames } from './subject-alt-names.ts'
import { modernTls } from './tls-messages.ts'

/** Istio's names for a workload's own certificate, and for the roots that it trusts: its agent has them. */
const OWN_CERTIFICATE = 'default'
const TRUSTED_ROOTS = 'ROOTCA'

/** What both ends of a connection within the mesh say: their own certificates, and who the peer may be (none: anyone of the mesh). */
export function meshTlsContext(peers: readonly string[], alpnProtocols: readonly string[]): CommonTlsContext {
  return create(CommonTlsContextSchema, {
    tlsParams: modernTls(),
    alpnProtocols: [...alpnProtocols],
    tlsCertificateSdsSecretConfigs: [secret(OWN_CERTIFICATE)],
    validationContextType: {
      case: 'combinedValidationContext',
      value: create(CombinedSchema, {
        defaultValidationContext: create(CertificateValidationContextSchema, {
          matchTypedSubjectAltNames: subjectAltNames(peers),
        }),
        validationContextSdsSecretConfig: secret(TRUSTED_ROOTS),
      }),
    },
  })
}

function secret(name: string) {
  return create(SdsSecretConfigSchema, { name, sdsConfig: adsSource() })
}
