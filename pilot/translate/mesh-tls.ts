import { create } from '@bufbuild/protobuf'
import type { ConfigSource } from '../../api/gen/envoy/config/core/v3/config_source_pb.js'
import { CertificateValidationContextSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { SdsSecretConfigSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import {
  CommonTlsContext_CombinedCertificateValidationContextSchema as CombinedSchema,
  type CommonTlsContext,
  CommonTlsContextSchema,
} from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { OWN_CERTIFICATE, TRUSTED_ROOTS } from '../../api/names.ts'
import type { MeshOptions } from '../mesh/options.ts'
import { adsSource, agentSource } from './messages.ts'
import { subjectAltNames } from './subject-alt-names.ts'
import { modernTls } from './tls-messages.ts'

/** What both ends of a connection within the mesh say: their own certificates, and who the peer may be (none: anyone of the mesh). */
export function meshTlsContext(
  peers: readonly string[],
  alpnProtocols: readonly string[],
  { trustBundleFrom }: MeshOptions,
): CommonTlsContext {
  return create(CommonTlsContextSchema, {
    tlsParams: modernTls(),
    alpnProtocols: [...alpnProtocols],
    tlsCertificateSdsSecretConfigs: [secret(OWN_CERTIFICATE, agentSource())],
    validationContextType: {
      case: 'combinedValidationContext',
      value: create(CombinedSchema, {
        defaultValidationContext: create(CertificateValidationContextSchema, {
          matchTypedSubjectAltNames: subjectAltNames(peers),
        }),
        validationContextSdsSecretConfig: secret(
          TRUSTED_ROOTS,
          trustBundleFrom === 'xds' ? adsSource() : agentSource(),
        ),
      }),
    },
  })
}

function secret(name: string, sdsConfig: ConfigSource) {
  return create(SdsSecretConfigSchema, { name, sdsConfig })
}
