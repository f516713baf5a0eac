import { create } from '@bufbuild/protobuf'
import type { TransportSocket } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  CertificateValidationContextSchema,
  TlsCertificateSchema,
  TlsParametersSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  CommonTlsContextSchema,
  type DownstreamTlsContext,
  DownstreamTlsContextSchema,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { isCipherSuite, type ServerTLSSettings } from '../../../crds/kinds/gateway.ts'
import { certificatesOf } from '../../mesh/gateway.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import { meshTlsContext } from '../mesh-tls.ts'
import { subjectAltNames } from '../subject-alt-names.ts'
import { fileSource, tlsSocket } from '../tls-messages.ts'
import type { ServerTls } from './plan.ts'

/** How TLS is ended: by the mesh's own certificates, or as a gateway's server says, whose files are those of the proxy's machine. */
export function downstreamTransportSocket(
  { settings, alpnProtocols }: ServerTls,
  options: MeshOptions,
): TransportSocket {
  return tlsSocket(
    DownstreamTlsContextSchema,
    settings === 'mesh'
      ? create(DownstreamTlsContextSchema, {
          requireClientCertificate: true,
          commonTlsContext: meshTlsContext([], alpnProtocols, options),
        })
      : serverContext(settings, alpnProtocols),
  )
}

function serverContext(settings: ServerTLSSettings, alpnProtocols: readonly string[]): DownstreamTlsContext {
  const { minProtocolVersion, maxProtocolVersion, cipherSuites = [], mode } = settings
  const asksClient = mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL'
  return create(DownstreamTlsContextSchema, {
    requireClientCertificate: mode === 'MUTUAL',
    commonTlsContext: create(CommonTlsContextSchema, {
      tlsParams: create(TlsParametersSchema, {
        tlsMinimumProtocolVersion: protocolOf(minProtocolVersion) ?? TlsProtocol.TLSv1_2,
        tlsMaximumProtocolVersion: protocolOf(maxProtocolVersion) ?? TlsProtocol.TLSv1_3,
        cipherSuites: cipherSuites.filter(isCipherSuite),
      }),
      alpnProtocols: [...alpnProtocols],
      tlsCertificates: certificatesOf(settings).map(({ serverCertificate, privateKey }) =>
        create(TlsCertificateSchema, {
          certificateChain: fileSource(serverCertificate),
          privateKey: fileSource(privateKey),
        }),
      ),
      ...(asksClient && { validationContextType: { case: 'validationContext', value: clientValidation(settings) } }),
    }),
  })
}

function clientValidation(settings: ServerTLSSettings) {
  const { caCertificates = '', caCrl = '', subjectAltNames: names = [] } = settings
  return create(CertificateValidationContextSchema, {
    trustedCa: fileSource(caCertificates),
    ...(caCrl !== '' && { crl: fileSource(caCrl) }),
    matchTypedSubjectAltNames: subjectAltNames(names),
    verifyCertificateSpki: [...(settings.verifyCertificateSpki ?? [])],
    verifyCertificateHash: [...(settings.verifyCertificateHash ?? [])],
  })
}

function protocolOf(name: ServerTLSSettings['minProtocolVersion']): TlsProtocol | undefined {
  switch (name) {
    case 'TLSV1_0':
      return TlsProtocol.TLSv1_0
    case 'TLSV1_1':
      return TlsProtocol.TLSv1_1
    case 'TLSV1_2':
      return TlsProtocol.TLSv1_2
    case 'TLSV1_3':
      return TlsProtocol.TLSv1_3
    default:
      return undefined
  }
}
