import type { SecureVersion } from 'node:tls'
import type { CertificateValidationContext } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  type TlsCertificate,
  type TlsParameters,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import type { CommonTlsContext } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import type { CertificateMaterial, TlsMaterial } from '../../tls/material.ts'
import { refuse } from '../plan-error.ts'
import { compileDataSource } from './data-source.ts'

/** What of CommonTlsContext goes into a TLS context. Throws a PlanError that names the field. */
export function compileTlsMaterial(common: CommonTlsContext | undefined, path: string): TlsMaterial {
  for (const [field, isSet] of [
    ['tls_certificate_sds_secret_configs', (common?.tlsCertificateSdsSecretConfigs.length ?? 0) > 0],
    ['tls_certificate_provider_instance', common?.tlsCertificateProviderInstance !== undefined],
    ['tls_certificate_certificate_provider', common?.tlsCertificateCertificateProvider !== undefined],
    ['tls_certificate_certificate_provider_instance', common?.tlsCertificateCertificateProviderInstance !== undefined],
    ['custom_handshaker', common?.customHandshaker !== undefined],
  ] as const) {
    if (isSet) refuse(`${path}.${field}`, 'not supported yet')
  }
  const validation = validationOf(common, path)
  const at = `${path}.validation_context`
  return {
    certificates: (common?.tlsCertificates ?? []).map((one, i) => certificate(one, `${path}.tls_certificates[${i}]`)),
    trustedCa: compileDataSource(validation?.trustedCa, `${at}.trusted_ca`),
    crl: compileDataSource(validation?.crl, `${at}.crl`),
    ...parameters(common?.tlsParams, `${path}.tls_params`),
    sessionTimeoutSeconds: 0,
    hasTickets: true,
  }
}

export function validationOf(
  common: CommonTlsContext | undefined,
  path: string,
): CertificateValidationContext | undefined {
  const type = common?.validationContextType
  if (type?.case === undefined) return undefined
  if (type.case === 'validationContext') return type.value
  return refuse(`${path}.${VALIDATION_FIELDS[type.case]}`, 'not supported yet')
}

const VALIDATION_FIELDS = {
  validationContextSdsSecretConfig: 'validation_context_sds_secret_config',
  combinedValidationContext: 'combined_validation_context',
  validationContextCertificateProvider: 'validation_context_certificate_provider',
  validationContextCertificateProviderInstance: 'validation_context_certificate_provider_instance',
}

function certificate(tls: TlsCertificate, path: string): CertificateMaterial {
  if (tls.privateKeyProvider !== undefined) refuse(`${path}.private_key_provider`, 'not supported')
  const chain = compileDataSource(tls.certificateChain, `${path}.certificate_chain`)
  const key = compileDataSource(tls.privateKey, `${path}.private_key`)
  const pkcs12 = compileDataSource(tls.pkcs12, `${path}.pkcs12`)
  if (pkcs12 !== undefined && (chain !== undefined || key !== undefined)) {
    refuse(`${path}.pkcs12`, 'stands for certificate_chain and private_key, and excludes them')
  }
  if (pkcs12 === undefined && chain === undefined) refuse(`${path}.certificate_chain`, 'is needed')
  if (pkcs12 === undefined && key === undefined) refuse(`${path}.private_key`, 'is needed')
  const passphrase = compileDataSource(tls.password, `${path}.password`)?.toString('utf8')
  return { chain, key, pkcs12, passphrase }
}

const VERSIONS: Readonly<Record<number, SecureVersion>> = {
  [TlsProtocol.TLSv1_0]: 'TLSv1',
  [TlsProtocol.TLSv1_1]: 'TLSv1.1',
  [TlsProtocol.TLSv1_2]: 'TLSv1.2',
  [TlsProtocol.TLSv1_3]: 'TLSv1.3',
}

function parameters(
  params: TlsParameters | undefined,
  path: string,
): Pick<TlsMaterial, 'minVersion' | 'maxVersion' | 'ciphers' | 'curves' | 'signatureAlgorithms'> {
  const minVersion = VERSIONS[params?.tlsMinimumProtocolVersion ?? TlsProtocol.TLS_AUTO] ?? 'TLSv1.2'
  const maxVersion = VERSIONS[params?.tlsMaximumProtocolVersion ?? TlsProtocol.TLS_AUTO] ?? 'TLSv1.3'
  if (minVersion > maxVersion) refuse(path, `tls_minimum_protocol_version is above tls_maximum_protocol_version`)
  const suites = (params?.cipherSuites ?? []).map((suite) => suite.replace(/^\[(.*)\]$/, '$1').replaceAll('|', ':'))
  return {
    minVersion,
    maxVersion,
    // They choose up to TLS 1.2 only, as in Envoy: those of 1.3 have other names and stay on.
    ciphers: suites.join(':'),
    curves: (params?.ecdhCurves ?? []).map((curve) => CURVES[curve] ?? curve).join(':'),
    signatureAlgorithms: (params?.signatureAlgorithms ?? []).join(':'),
  }
}

/** OpenSSL's names where BoringSSL, whose names Envoy takes, has others. */
const CURVES: Readonly<Record<string, string>> = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' }
