import { readFileSync } from 'node:fs'
import { checkServerIdentity, type SecureContext } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import {
  type HeaderValue,
  type TransportSocket,
  TransportSocketSchema,
} from '../../api/gen/envoy/config/core/v3/base_pb.js'
import type { GrpcService, GrpcService_GoogleGrpc } from '../../api/gen/envoy/config/core/v3/grpc_service_pb.js'
import {
  CertificateValidationContextSchema,
  TlsCertificateSchema,
} from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  CommonTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { compileUpstreamTls } from '../plan/compile/transport-socket.ts'
import { refuse } from '../plan/plan-error.ts'
import { NO_SECRETS } from '../plan/secret-plan.ts'
import { identityError } from '../tls/upstream.ts'
import type { SecureChannel } from '../xds/transport.ts'

/** How the management server is spoken to by TLS, and what each stream says of its caller. */

const NO_HTTP = { autoSni: false, autoSanValidation: false }

/**
 * TLS to the management server as its cluster's transport socket says; undefined for plain text. What it gives reads the files anew.
 * The server is always verified: without names to match, by the name or address it is called by, since a root of the mesh signs for
 * every workload and not for the pilot alone. Throws a PlanError that names the field.
 */
export function channelOf(socket: TransportSocket | undefined, path: string): (() => SecureChannel) | undefined {
  const open = (): SecureChannel | undefined => {
    const compiled = compileUpstreamTls(socket, NO_HTTP, path)
    if (compiled === undefined) return undefined
    const awaited = compiled.needs.find(({ source }) => source.kind !== 'file')
    if (awaited !== undefined) refuse(awaited.path, 'the management server cannot wait for a secret that it may send')
    const { context, peer, serverName } = compiled.of(NO_SECRETS)
    const at = `${path}.typed_config.common_tls_context.validation_context`
    if (!peer.verifiesChain) refuse(`${at}.trusted_ca`, 'is needed: whoever answers would be told the token')
    const hasChecks = peer.names.length + peer.certificateHashes.length + peer.keyHashes.length > 0
    return {
      context: context as SecureContext,
      serverName,
      checkServer: (host, certificate) =>
        hasChecks ? identityError(peer, certificate) : checkServerIdentity(host, certificate),
    }
  }
  return open() === undefined ? undefined : (open as () => SecureChannel)
}

/** The same of a `google_grpc` target's own words for it. */
export function googleSocket(google: GrpcService_GoogleGrpc, path: string): TransportSocket | undefined {
  const credentials = google.channelCredentials?.credentialSpecifier
  if (credentials?.case === undefined || credentials.case === 'localCredentials') return undefined
  if (credentials.case !== 'sslCredentials') {
    return refuse(`${path}.channel_credentials.google_default`, 'not supported')
  }
  const { rootCerts, privateKey, certChain } = credentials.value
  const commonTlsContext = create(CommonTlsContextSchema, {
    tlsCertificates:
      privateKey === undefined && certChain === undefined
        ? []
        : [create(TlsCertificateSchema, { certificateChain: certChain, privateKey })],
    validationContextType: {
      case: 'validationContext',
      value: create(CertificateValidationContextSchema, { trustedCa: rootCerts }),
    },
  })
  const context = create(UpstreamTlsContextSchema, { commonTlsContext })
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: { case: 'typedConfig', value: anyPack(UpstreamTlsContextSchema, context) },
  })
}

export type Headers = readonly (readonly [name: string, value: string])[]

/**
 * What is sent with each stream: `initial_metadata`, the call credentials of the bootstrap, and the token of a file, which is read
 * anew since projected tokens are replaced while they are valid. No token of a file is sent in the clear.
 */
export function headersOf(
  service: GrpcService,
  path: string,
  tokenFile: string | undefined,
  isSecure: boolean,
): () => Headers {
  const fixed = [
    ...service.initialMetadata.map((header) => [header.key.toLowerCase(), headerValue(header)] as const),
    ...callCredentials(service, path, isSecure),
  ]
  const saysWho = fixed.some(([name]) => name === 'authorization')
  if (tokenFile === undefined || !isSecure || saysWho) return () => fixed
  return () => [...fixed, ['authorization', `Bearer ${readFileSync(tokenFile, 'latin1').trim()}`]]
}

function headerValue({ value, rawValue }: HeaderValue): string {
  return value === '' ? Buffer.from(rawValue).toString('latin1') : value
}

function callCredentials({ targetSpecifier: target }: GrpcService, path: string, isSecure: boolean): Headers {
  if (target.case !== 'googleGrpc') return []
  return target.value.callCredentials.map(({ credentialSpecifier: { case: kind, value } }, i) => {
    const at = `${path}.google_grpc.call_credentials[${i}]`
    if (kind !== 'accessToken') return refuse(at, `${kind ?? 'none'} is not supported; access_token is`)
    // As gRPC itself has it.
    if (!isSecure) refuse(`${at}.access_token`, 'is for TLS only')
    return ['authorization', `Bearer ${value}`] as const
  })
}
