import { create } from '@bufbuild/protobuf'
import type { TransportSocket } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  CertificateValidationContextSchema,
  TlsParametersSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  type CommonTlsContext,
  CommonTlsContextSchema,
  type DownstreamTlsContext,
  DownstreamTlsContextSchema,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { type CredentialUse, serverCredentials } from '../../../config/credential/uses.ts'
import { isCipherSuite, type ServerTLSSettings } from '../../../crds/kinds/gateway.ts'
import { certificatesOf } from '../../mesh/gateway.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import { type FilePair, fileCertificates, fileValidation } from '../file-tls.ts'
import { meshTlsContext } from '../mesh-tls.ts'
import { credentialConfig, validationBy } from '../secret/names.ts'
import { subjectAltNames } from '../subject-alt-names.ts'
import { fileSource, tlsSocket } from '../tls-messages.ts'
import type { ServerTls } from './plan.ts'

/** How TLS is ended: by the mesh's own certificates, by Secrets, or by files of the proxy's machine, as a gateway's server says. */
export function downstreamTransportSocket(
  { settings, alpnProtocols }: ServerTls,
  options: MeshOptions,
): TransportSocket {
  const isOfMesh = settings === 'mesh' || settings.mode === 'ISTIO_MUTUAL'
  return tlsSocket(
    DownstreamTlsContextSchema,
    isOfMesh
      ? meshContext(settings === 'mesh' ? {} : settings, alpnProtocols, options)
      : serverContext(settings, alpnProtocols),
  )
}

/** A gateway's server may still ask for certain callers, versions and ciphers. */
function meshContext(
  settings: ServerTLSSettings,
  alpnProtocols: readonly string[],
  options: MeshOptions,
): DownstreamTlsContext {
  const commonTlsContext = meshTlsContext(settings.subjectAltNames ?? [], alpnProtocols, options)
  if (settings.mode !== undefined) commonTlsContext.tlsParams = parameters(settings)
  return create(DownstreamTlsContextSchema, { requireClientCertificate: true, commonTlsContext })
}

function serverContext(settings: ServerTLSSettings, alpnProtocols: readonly string[]): DownstreamTlsContext {
  const { mode } = settings
  const uses = serverCredentials(settings)
  const named = uses.filter(({ needs }) => needs === 'certificate')
  const pairs = certificatesOf(settings).map(
    ({ serverCertificate = '', privateKey = '' }): FilePair => [serverCertificate, privateKey],
  )
  const asksClient = mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL'
  return create(DownstreamTlsContextSchema, {
    requireClientCertificate: mode === 'MUTUAL',
    commonTlsContext: create(CommonTlsContextSchema, {
      tlsParams: parameters(settings),
      alpnProtocols: [...alpnProtocols],
      ...(named.length > 0 ? { tlsCertificateSdsSecretConfigs: named.map(credentialConfig) } : fileCertificates(pairs)),
      ...(asksClient && { validationContextType: clientValidation(settings, uses) }),
    }),
  })
}

function parameters({ minProtocolVersion, maxProtocolVersion, cipherSuites = [] }: ServerTLSSettings) {
  return create(TlsParametersSchema, {
    tlsMinimumProtocolVersion: protocolOf(minProtocolVersion) ?? TlsProtocol.TLSv1_2,
    tlsMaximumProtocolVersion: protocolOf(maxProtocolVersion) ?? TlsProtocol.TLSv1_3,
    cipherSuites: cipherSuites.filter(isCipherSuite),
  })
}

function clientValidation(
  settings: ServerTLSSettings,
  uses: readonly CredentialUse[],
): CommonTlsContext['validationContextType'] {
  const { caCertificates = '', caCrl = '', subjectAltNames: names = [] } = settings
  const roots = uses.find(({ needs }) => needs === 'roots')
  const value = create(CertificateValidationContextSchema, {
    matchTypedSubjectAltNames: subjectAltNames(names),
    verifyCertificateSpki: [...(settings.verifyCertificateSpki ?? [])],
    verifyCertificateHash: [...(settings.verifyCertificateHash ?? [])],
  })
  if (roots === undefined) return fileValidation(value, caCertificates, caCrl)
  if (caCrl !== '') value.crl = fileSource(caCrl)
  return validationBy(value, credentialConfig(roots))
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
