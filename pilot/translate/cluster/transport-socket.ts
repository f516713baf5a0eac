import { create } from '@bufbuild/protobuf'
import {
  type Cluster_TransportSocketMatch,
  Cluster_TransportSocketMatchSchema,
} from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { type TransportSocket, TransportSocketSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import { RawBufferSchema } from '../../../api/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js'
import { CertificateValidationContextSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  type CommonTlsContext,
  CommonTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { type CredentialUse, clientCredentials } from '../../../config/credential/uses.ts'
import type { ClientTLSSettings } from '../../../crds/kinds/destination-rule.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import { isHttp, isHttp2, type Protocol } from '../../registry/protocol.ts'
import { MTLS_ENDPOINT } from '../endpoint.ts'
import { fileCertificates, fileValidation } from '../file-tls.ts'
import { meshTlsContext } from '../mesh-tls.ts'
import { any } from '../messages.ts'
import { credentialConfig, validationBy } from '../secret/names.ts'
import { subjectAltNames } from '../subject-alt-names.ts'
import { fileSource, modernTls, tlsSocket } from '../tls-messages.ts'

/** Whom a cluster calls within the mesh. */
export interface MeshPeers {
  /** What is asked for by SNI. */
  readonly serverName: string
  /** Ids of the workloads behind the cluster; none when they are not known. */
  readonly identities: readonly string[]
}

/**
 * The transport socket of a DestinationRule's TLS settings; undefined for plain text. Files are those of the proxy's machine; where it
 * `takesCredential`, certificate and roots are secrets in the place of files.
 * Unless it is switched off the server's certificate is verified, by the roots of the operating system if none are given (Istio's
 * VERIFY_CERTIFICATE_AT_CLIENT).
 */
export function transportSocket(
  tls: ClientTLSSettings | undefined,
  protocol: Protocol,
  peers: MeshPeers,
  takesCredential: boolean,
  options: MeshOptions,
): TransportSocket | undefined {
  if (tls?.mode === 'ISTIO_MUTUAL') return meshSocket(tls, protocol, peers, options)
  if (!originatesTls(tls)) return undefined
  const uses = takesCredential ? clientCredentials(tls) : []
  const named = uses.filter(({ needs }) => needs === 'certificate')
  const { clientCertificate, privateKey = '' } = tls
  const context = create(UpstreamTlsContextSchema, {
    sni: tls.sni ?? '',
    commonTlsContext: create(CommonTlsContextSchema, {
      tlsParams: modernTls(),
      alpnProtocols: isHttp2(protocol) ? ['h2'] : [],
      ...(named.length > 0
        ? { tlsCertificateSdsSecretConfigs: named.map(credentialConfig) }
        : tls.mode === 'MUTUAL' && clientCertificate && fileCertificates([[clientCertificate, privateKey]])),
      ...(tls.insecureSkipVerify !== true && { validationContextType: validation(tls, uses, options) }),
    }),
  })
  return tlsSocket(UpstreamTlsContextSchema, context)
}

/** By the mesh's own certificates, with Istio's names for what is spoken. */
function meshSocket(
  tls: ClientTLSSettings,
  protocol: Protocol,
  peers: MeshPeers,
  options: MeshOptions,
): TransportSocket {
  const given = tls.subjectAltNames ?? []
  const expected = given.length > 0 ? given : peers.identities
  const context = create(UpstreamTlsContextSchema, {
    sni: tls.sni || peers.serverName,
    commonTlsContext: meshTlsContext(expected, meshProtocols(protocol), options),
  })
  return tlsSocket(UpstreamTlsContextSchema, context)
}

/**
 * Istio's automatic mutual TLS: endpoints that are said to have a proxy with an identity are called by it, the others in plain text.
 */
export function autoMtlsMatches(
  protocol: Protocol,
  peers: MeshPeers,
  options: MeshOptions,
): Cluster_TransportSocketMatch[] {
  return [
    create(Cluster_TransportSocketMatchSchema, {
      name: 'tlsMode-istio',
      match: { tlsMode: MTLS_ENDPOINT },
      transportSocket: meshSocket({ mode: 'ISTIO_MUTUAL' }, protocol, peers, options),
    }),
    create(Cluster_TransportSocketMatchSchema, { name: 'tlsMode-disabled', match: {}, transportSocket: plainSocket() }),
  ]
}

function plainSocket(): TransportSocket {
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.raw_buffer',
    configType: { case: 'typedConfig', value: any(RawBufferSchema, create(RawBufferSchema)) },
  })
}

function meshProtocols(protocol: Protocol): readonly string[] {
  if (isHttp2(protocol)) return ['istio-h2', 'istio', 'h2']
  return isHttp(protocol) ? ['istio-http/1.1', 'istio', 'http/1.1'] : ['istio-peer-exchange', 'istio']
}

/** Whether the proxy speaks TLS by settings of the rule's own. */
export function originatesTls(tls: ClientTLSSettings | undefined): tls is ClientTLSSettings {
  return tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL'
}

/** Without a name of its own the one of the request is asked for, and without names to match it is the one to match. */
export function autoNames(tls: ClientTLSSettings | undefined): { autoSni: boolean; autoSanValidation: boolean } {
  const autoSni = originatesTls(tls) && !tls.sni
  const isMatched = (tls?.subjectAltNames?.length ?? 0) > 0 || tls?.insecureSkipVerify === true
  return { autoSni, autoSanValidation: autoSni && !isMatched }
}

function validation(
  tls: ClientTLSSettings,
  uses: readonly CredentialUse[],
  options: MeshOptions,
): CommonTlsContext['validationContextType'] {
  const roots = uses.find(({ needs }) => needs === 'roots')
  const value = create(CertificateValidationContextSchema, {
    matchTypedSubjectAltNames: subjectAltNames(tls.subjectAltNames ?? []),
  })
  if (roots === undefined) return fileValidation(value, tls.caCertificates || options.systemRootsFile, tls.caCrl ?? '')
  if (tls.caCrl) value.crl = fileSource(tls.caCrl)
  return validationBy(value, credentialConfig(roots))
}
