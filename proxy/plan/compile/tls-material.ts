import type { SecureVersion } from 'node:tls'
import {
  type TlsParameters,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import type { CommonTlsContext } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { secureContext, type TlsMaterial } from '../../tls/material.ts'
import { orRefuse, refuse } from '../plan-error.ts'
import type { FoundSecrets, SecretPlan, ValidationPlan } from '../secret-plan.ts'
import type { CertificatesPlan, SanMatcherPlan } from '../tls-plan.ts'
import { certificateSecret, validationSecret } from './secret-kinds.ts'
import { type SecretNeed, type SecretNeeds, secretOf } from './secret-refs.ts'
import { mergeValidation } from './validation.ts'

/** CommonTlsContext, as far as it is known without the secrets that it refers to. */
export interface CommonTls {
  readonly certificateCount: number
  readonly alpnProtocols: readonly string[]
  /** What goes into a TLS context. */
  materialWith(secrets: readonly SecretPlan[]): TlsMaterial
  certificatesWith(secrets: readonly SecretPlan[]): CertificatesPlan
  /** What is asked of the peer, and the field that it comes from. */
  readonly validationPath: string
  validationWith(secrets: FoundSecrets): ValidationPlan | undefined
  /** What must be in the peer's certificate as far as no secret says it. */
  readonly knownNames: readonly SanMatcherPlan[]
  /** Whether validationWith() can be asked already. */
  knowsValidation(found: FoundSecrets): boolean
}

/** Adds the secrets that it refers to to `needs`. Throws a PlanError that names the field. */
export function compileCommonTls(common: CommonTlsContext | undefined, path: string, needs: SecretNeeds): CommonTls {
  for (const [field, isSet] of [
    ['tls_certificate_provider_instance', common?.tlsCertificateProviderInstance !== undefined],
    ['tls_certificate_certificate_provider', common?.tlsCertificateCertificateProvider !== undefined],
    ['tls_certificate_certificate_provider_instance', common?.tlsCertificateCertificateProviderInstance !== undefined],
    ['custom_handshaker', common?.customHandshaker !== undefined],
  ] as const) {
    if (isSet) refuse(`${path}.${field}`, 'not supported yet')
  }
  const inline = (common?.tlsCertificates ?? []).map((one, i) =>
    needs.addOwn(certificateSecret(one, `${path}.tls_certificates[${i}]`)),
  )
  const sds = `${path}.tls_certificate_sds_secret_configs`
  const named = (common?.tlsCertificateSdsSecretConfigs ?? []).map((config, i) =>
    needs.add(config, `${sds}[${i}]`, 'tls_certificate'),
  )
  if (inline.length > 0 && named.length > 0) refuse(sds, 'cannot stand beside tls_certificates')
  const source = compileValidationSource(common, path, needs)
  const parameters = compileParameters(common?.tlsParams, `${path}.tls_params`)
  // Without this it would be the secrets that are refused, when they come.
  if (needs.refs.length > 0) orRefuse(path, () => secureContext({ ...NO_MATERIAL, ...parameters }))
  return {
    certificateCount: inline.length + named.length,
    alpnProtocols: common?.alpnProtocols ?? [],
    certificatesWith: (secrets) => {
      const { trustedCa, trustedCaPath = '' } = source.validationWith(secrets) ?? {}
      return {
        chains: [...inline, ...named].flatMap((need) => {
          const { chain, chainPath } = secretOf(secrets, need).certificate
          return chain === undefined ? [] : { path: chainPath, pem: chain }
        }),
        roots: trustedCa && { path: trustedCaPath, pem: trustedCa },
      }
    },
    materialWith: (secrets) => {
      const validation = source.validationWith(secrets)
      return {
        ...NO_MATERIAL,
        certificates: [...inline, ...named].map((need) => secretOf(secrets, need).certificate),
        trustedCa: validation?.trustedCa,
        crl: validation?.crl,
        ...parameters,
      }
    },
    ...source,
  }
}

const NO_MATERIAL = {
  certificates: [],
  trustedCa: undefined,
  crl: undefined,
  sessionTimeoutSeconds: 0,
  hasTickets: true,
  ticketKeys: undefined,
}

/** validation_context, a secret in its place, or one laid over the other. */
function compileValidationSource(
  common: CommonTlsContext | undefined,
  path: string,
  needs: SecretNeeds,
): Pick<CommonTls, 'validationPath' | 'validationWith' | 'knownNames' | 'knowsValidation'> {
  const type = common?.validationContextType
  const awaited = (
    validationPath: string,
    { index }: SecretNeed<'validation_context'>,
    validationWith: CommonTls['validationWith'],
    knownNames: readonly SanMatcherPlan[] = [],
  ) => ({
    validationPath,
    validationWith,
    knownNames,
    knowsValidation: (found: FoundSecrets) => found[index] !== undefined,
  })
  const knowsValidation = () => true
  if (type?.case === undefined) {
    const validationPath = `${path}.validation_context`
    return { validationPath, validationWith: () => undefined, knownNames: [], knowsValidation }
  }
  switch (type.case) {
    case 'validationContext': {
      const own = validationSecret(type.value, `${path}.validation_context`)
      const need = needs.addOwn(own)
      return {
        validationPath: need.path,
        validationWith: (secrets) => secretOf(secrets, need).validation,
        knownNames: own.validation.names,
        knowsValidation,
      }
    }
    case 'validationContextSdsSecretConfig': {
      const need = needs.add(type.value, `${path}.validation_context_sds_secret_config`, 'validation_context')
      return awaited(need.path, need, (secrets) => secretOf(secrets, need).validation)
    }
    case 'combinedValidationContext': {
      const at = `${path}.combined_validation_context`
      const { defaultValidationContext, validationContextSdsSecretConfig } = type.value
      for (const [field, isSet] of [
        ['validation_context_certificate_provider', type.value.validationContextCertificateProvider !== undefined],
        [
          'validation_context_certificate_provider_instance',
          type.value.validationContextCertificateProviderInstance !== undefined,
        ],
      ] as const) {
        if (isSet) refuse(`${at}.${field}`, 'not supported yet')
      }
      if (defaultValidationContext === undefined) return refuse(`${at}.default_validation_context`, 'is needed')
      if (validationContextSdsSecretConfig === undefined) {
        return refuse(`${at}.validation_context_sds_secret_config`, 'is needed')
      }
      const own = validationSecret(defaultValidationContext, `${at}.default_validation_context`)
      const under = needs.addOwn(own)
      const over = `${at}.validation_context_sds_secret_config`
      const need = needs.add(validationContextSdsSecretConfig, over, 'validation_context')
      const validationWith = (secrets: FoundSecrets) =>
        mergeValidation(secretOf(secrets, under).validation, secretOf(secrets, need).validation)
      return awaited(at, need, validationWith, own.validation.names)
    }
    default:
      return refuse(`${path}.${PROVIDER_FIELDS[type.case]}`, 'not supported yet')
  }
}

const PROVIDER_FIELDS = {
  validationContextCertificateProvider: 'validation_context_certificate_provider',
  validationContextCertificateProviderInstance: 'validation_context_certificate_provider_instance',
} as const

const VERSIONS: Readonly<Record<number, SecureVersion>> = {
  [TlsProtocol.TLSv1_0]: 'TLSv1',
  [TlsProtocol.TLSv1_1]: 'TLSv1.1',
  [TlsProtocol.TLSv1_2]: 'TLSv1.2',
  [TlsProtocol.TLSv1_3]: 'TLSv1.3',
}

function compileParameters(
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
