import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { TransportSocket } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { errorText } from '../../../lib/errors.ts'
import { tlsAcceptor } from '../../tls/acceptor.ts'
import { chooseCertificates } from '../../tls/certificate-choice.ts'
import { secureContext } from '../../tls/material.ts'
import { refuse } from '../plan-error.ts'
import type { DownstreamTlsPlan, UpstreamTlsPlan } from '../tls-plan.ts'
import { durationMs } from './common.ts'
import { compilePeerCheck } from './peer-check.ts'
import { compileTlsMaterial, validationOf } from './tls-material.ts'

const RAW_BUFFER = 'envoy.transport_sockets.raw_buffer'

/** A filter chain's transport socket; undefined means plain text. `takesPeers`: our own proxies may multiplex HTTP/1.1. Throws a PlanError that names the field. */
export function compileDownstreamTls(
  socket: TransportSocket | undefined,
  path: string,
  takesPeers: boolean,
): DownstreamTlsPlan | undefined {
  const any = tlsConfig(socket, path)
  if (any === undefined) return undefined
  const at = `${path}.typed_config`
  const tls = anyUnpack(any, DownstreamTlsContextSchema)
  if (tls === undefined) return refuse(at, `${any.typeUrl} is not supported`)
  const common = tls.commonTlsContext
  const tickets = tls.sessionTicketKeysType
  if (tickets.case === 'sessionTicketKeysSdsSecretConfig') {
    refuse(`${at}.session_ticket_keys_sds_secret_config`, 'not supported yet')
  }
  const material = {
    ...compileTlsMaterial(common, `${at}.common_tls_context`),
    hasTickets: !(tickets.case === 'disableStatelessSessionResumption' && tickets.value),
    sessionTimeoutSeconds: Math.floor(durationMs(tls.sessionTimeout, 0) / 1000),
  }
  if (material.certificates.length === 0) refuse(`${at}.common_tls_context.tls_certificates`, 'is needed')
  const validation = validationOf(common, `${at}.common_tls_context`)
  const requiresClientCertificate = tls.requireClientCertificate ?? false
  const peer = validation && compilePeerCheck(validation, `${at}.common_tls_context.validation_context`)
  return {
    acceptors: orRefuse(`${at}.common_tls_context`, () =>
      chooseCertificates(material.certificates, (certificates) =>
        tlsAcceptor({
          material: { ...material, certificates },
          alpnProtocols: common?.alpnProtocols ?? [],
          takesPeers,
          requestsCertificate: requiresClientCertificate || peer !== undefined,
        }),
      ),
    ),
    requiresClientCertificate,
    requiresServerName: tls.requireSni ?? false,
    peer,
  }
}

export interface HttpTlsOptions {
  readonly autoSni: boolean
  readonly autoSanValidation: boolean
}

/** A cluster's transport socket; undefined means plain text. Throws a PlanError that names the field. */
export function compileUpstreamTls(
  socket: TransportSocket | undefined,
  http: HttpTlsOptions,
  path = 'transport_socket',
): UpstreamTlsPlan | undefined {
  const any = tlsConfig(socket, path)
  if (any === undefined) return undefined
  const at = `${path}.typed_config`
  const tls = anyUnpack(any, UpstreamTlsContextSchema)
  if (tls === undefined) return refuse(at, `${any.typeUrl} is not supported`)
  if (tls.allowRenegotiation) refuse(`${at}.allow_renegotiation`, 'not supported')
  const common = tls.commonTlsContext
  const peer = compilePeerCheck(
    validationOf(common, `${at}.common_tls_context`),
    `${at}.common_tls_context.validation_context`,
  )
  if (!peer.verifiesChain && peer.certificateHashes.length + peer.keyHashes.length > 0) {
    refuse(`${at}.common_tls_context.validation_context`, 'hashes without a trusted_ca are not supported')
  }
  if (http.autoSanValidation && !peer.verifiesChain) {
    refuse(`${at}.common_tls_context.validation_context`, 'auto_san_validation needs a trusted_ca')
  }
  const material = compileTlsMaterial(common, `${at}.common_tls_context`)
  return {
    context: orRefuse(`${at}.common_tls_context`, () => secureContext(material)),
    serverName: tls.sni,
    alpnProtocols: common?.alpnProtocols ?? [],
    peer,
    autoSni: http.autoSni,
    autoSanValidation: http.autoSanValidation,
    maxSessionKeys: tls.maxSessionKeys ?? 1,
  }
}

/** The configuration of a TLS socket; undefined when plain text is meant. */
function tlsConfig(socket: TransportSocket | undefined, path: string): Any | undefined {
  if (socket === undefined) return undefined
  const { configType, name } = socket
  if (configType.case !== 'typedConfig') {
    return name === RAW_BUFFER ? undefined : refuse(`${path}.typed_config`, 'is needed')
  }
  return configType.value.typeUrl.endsWith('.RawBuffer') ? undefined : configType.value
}

/** Keys that do not fit, PEM that is none and ciphers that nobody knows come out when OpenSSL takes them. */
function orRefuse<T>(path: string, create: () => T): T {
  try {
    return create()
  } catch (thrown) {
    return refuse(path, errorText(thrown))
  }
}
