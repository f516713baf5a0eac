import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { TransportSocket } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  type DownstreamTlsContext,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { tlsAcceptor } from '../../tls/acceptor.ts'
import { chooseCertificates } from '../../tls/certificate-choice.ts'
import { secureContext, type TlsMaterial } from '../../tls/material.ts'
import { orRefuse, refuse } from '../plan-error.ts'
import { BySecrets, type FoundSecrets, type SecretPlan } from '../secret-plan.ts'
import type { DownstreamTlsPlan, UpstreamTlsPlan } from '../tls-plan.ts'
import { durationMs } from './common.ts'
import { NO_CHECK, peerCheckOf } from './peer-check.ts'
import { ticketKeysSecret } from './secret-kinds.ts'
import { SecretNeeds, secretOf } from './secret-refs.ts'
import { type CommonTls, compileCommonTls } from './tls-material.ts'

const RAW_BUFFER = 'envoy.transport_sockets.raw_buffer'

/** A filter chain's transport socket; undefined means plain text. `takesPeers`: our own proxies may multiplex HTTP/1.1. Throws a PlanError that names the field. */
export function compileDownstreamTls(
  socket: TransportSocket | undefined,
  path: string,
  takesPeers: boolean,
): BySecrets<DownstreamTlsPlan> | undefined {
  const any = tlsConfig(socket, path)
  if (any === undefined) return undefined
  const at = `${path}.typed_config`
  const tls = anyUnpack(any, DownstreamTlsContextSchema)
  if (tls === undefined) return refuse(at, `${any.typeUrl} is not supported`)
  const needs = new SecretNeeds()
  const common = compileCommonTls(tls.commonTlsContext, `${at}.common_tls_context`, needs)
  const tickets = compileTickets(tls, at, needs)
  if (common.certificateCount === 0) refuse(`${at}.common_tls_context.tls_certificates`, 'is needed')
  const sessionTimeoutSeconds = Math.floor(durationMs(tls.sessionTimeout, 0) / 1000)
  const requiresClientCertificate = tls.requireClientCertificate ?? false
  const requiresServerName = tls.requireSni ?? false
  const peerOf = (found: FoundSecrets) => {
    const validation = common.validationWith(found)
    return validation && peerCheckOf(validation, common.validationPath)
  }
  const make = (secrets: readonly SecretPlan[] | undefined) => {
    const unready = {
      certificates: undefined,
      acceptors: undefined,
      requiresClientCertificate,
      requiresServerName,
      peer: undefined,
    }
    if (secrets === undefined) return unready
    const material = { ...common.materialWith(secrets), ...tickets(secrets), sessionTimeoutSeconds }
    const peer = peerOf(secrets)
    const acceptors = orRefuse(`${at}.common_tls_context`, () =>
      chooseCertificates(material.certificates, (certificates) =>
        tlsAcceptor({
          material: { ...material, certificates },
          alpnProtocols: common.alpnProtocols,
          takesPeers,
          requestsCertificate: requiresClientCertificate || peer !== undefined,
        }),
      ),
    )
    return { ...unready, certificates: common.certificatesWith(secrets), acceptors, peer }
  }
  return bySecrets(needs, common, make, peerOf)
}

/** Refuses what is asked of the peer as soon as it is known, whatever other secrets there will be. */
function bySecrets<T>(
  needs: SecretNeeds,
  common: CommonTls,
  make: (secrets: readonly SecretPlan[] | undefined) => T,
  peerOf: (found: FoundSecrets) => unknown,
): BySecrets<T> {
  const checkPart = (found: FoundSecrets) => {
    if (common.knowsValidation(found)) peerOf(found)
  }
  checkPart([])
  return new BySecrets(needs.refs, make, checkPart)
}

/** How sessions are resumed: by which keys, or by none. */
function compileTickets(
  { sessionTicketKeysType: type }: DownstreamTlsContext,
  path: string,
  needs: SecretNeeds,
): (secrets: readonly SecretPlan[]) => Pick<TlsMaterial, 'hasTickets' | 'ticketKeys'> {
  switch (type.case) {
    case 'sessionTicketKeys': {
      const need = needs.addOwn(ticketKeysSecret(type.value, `${path}.session_ticket_keys`))
      return (secrets) => ({ hasTickets: true, ticketKeys: secretOf(secrets, need).ticketKeys })
    }
    case 'sessionTicketKeysSdsSecretConfig': {
      const need = needs.add(type.value, `${path}.session_ticket_keys_sds_secret_config`, 'session_ticket_keys')
      return (secrets) => ({ hasTickets: true, ticketKeys: secretOf(secrets, need).ticketKeys })
    }
    default: {
      const hasTickets = !(type.case === 'disableStatelessSessionResumption' && type.value)
      return () => ({ hasTickets, ticketKeys: undefined })
    }
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
): BySecrets<UpstreamTlsPlan> | undefined {
  const any = tlsConfig(socket, path)
  if (any === undefined) return undefined
  const at = `${path}.typed_config`
  const tls = anyUnpack(any, UpstreamTlsContextSchema)
  if (tls === undefined) return refuse(at, `${any.typeUrl} is not supported`)
  if (tls.allowRenegotiation) refuse(`${at}.allow_renegotiation`, 'not supported')
  const needs = new SecretNeeds()
  const common = compileCommonTls(tls.commonTlsContext, `${at}.common_tls_context`, needs)
  if ((tls.commonTlsContext?.tlsCertificateSdsSecretConfigs.length ?? 0) > 1) {
    refuse(`${at}.common_tls_context.tls_certificate_sds_secret_configs`, 'a cluster has one certificate at most')
  }
  const unready: UpstreamTlsPlan = {
    certificates: undefined,
    context: undefined,
    serverName: tls.sni,
    alpnProtocols: common.alpnProtocols,
    peer: { ...NO_CHECK, names: common.knownNames },
    showsCertificate: common.certificateCount > 0,
    autoSni: http.autoSni,
    autoSanValidation: http.autoSanValidation,
    maxSessionKeys: tls.maxSessionKeys ?? 1,
  }
  const peerOf = (found: FoundSecrets) => {
    const peer = peerCheckOf(common.validationWith(found), common.validationPath)
    if (!peer.verifiesChain && peer.certificateHashes.length + peer.keyHashes.length > 0) {
      refuse(common.validationPath, 'hashes without a trusted_ca are not supported')
    }
    if (http.autoSanValidation && !peer.verifiesChain) {
      refuse(common.validationPath, 'auto_san_validation needs a trusted_ca')
    }
    return peer
  }
  const make = (secrets: readonly SecretPlan[] | undefined) => {
    if (secrets === undefined) return unready
    const peer = peerOf(secrets)
    const material = common.materialWith(secrets)
    const context = orRefuse(`${at}.common_tls_context`, () => secureContext(material))
    return { ...unready, certificates: common.certificatesWith(secrets), context, peer }
  }
  return bySecrets(needs, common, make, peerOf)
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
