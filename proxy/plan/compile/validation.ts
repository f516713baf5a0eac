import { X509Certificate } from 'node:crypto'
import {
  type CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification as ChainVerification,
  SubjectAltNameMatcher_SanType as SanTypeProto,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import type { StringMatcher as StringMatcherProto } from '../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import { errorText } from '../../../lib/errors.ts'
import { dnsNameMatches } from '../../tls/peer.ts'
import { refuse } from '../plan-error.ts'
import type { ValidationPlan } from '../secret-plan.ts'
import type { SanMatcherPlan, SanType } from '../tls-plan.ts'
import { compileStringMatcher } from './common.ts'
import { compileDataSource, pathOf } from './data-source.ts'

const SAN_TYPES: Readonly<Record<number, SanType>> = {
  [SanTypeProto.DNS]: 'dns',
  [SanTypeProto.URI]: 'uri',
  [SanTypeProto.EMAIL]: 'email',
  [SanTypeProto.IP_ADDRESS]: 'ip',
}

/**
 * CertificateValidationContext by itself; peerCheckOf() says whether it holds together. Fields that would make a peer
 * acceptable that is not, or the other way round, are refused and not passed over. `stamps` gets the files that were read. Throws a
 * PlanError that names the field.
 */
export function compileValidation(
  validation: CertificateValidationContext,
  path: string,
  stamps: Map<string, string>,
): ValidationPlan {
  for (const [field, isSet] of [
    ['ca_certificate_provider_instance', validation.caCertificateProviderInstance !== undefined],
    ['require_signed_certificate_timestamp', validation.requireSignedCertificateTimestamp === true],
    ['allow_expired_certificate', validation.allowExpiredCertificate],
    ['custom_validator_config', validation.customValidatorConfig !== undefined],
    ['only_verify_leaf_cert_crl', validation.onlyVerifyLeafCertCrl],
    ['max_verify_depth', validation.maxVerifyDepth !== undefined],
  ] as const) {
    if (isSet) refuse(`${path}.${field}`, 'not supported')
  }
  const names = [
    ...validation.matchTypedSubjectAltNames.flatMap(({ sanType, matcher }, i) => {
      const at = `${path}.match_typed_subject_alt_names[${i}]`
      const type = SAN_TYPES[sanType]
      if (type === undefined) return refuse(`${at}.san_type`, `${SanTypeProto[sanType]} is not supported`)
      if (matcher === undefined) return refuse(`${at}.matcher`, 'is needed')
      return [sanMatcher(type, matcher, `${at}.matcher`)]
    }),
    // The older form asks for no type.
    ...validation.matchSubjectAltNames.flatMap((matcher, i) =>
      Object.values(SAN_TYPES).map((type) => sanMatcher(type, matcher, `${path}.match_subject_alt_names[${i}]`)),
    ),
  ]
  const trustedCa = compileDataSource(validation.trustedCa, `${path}.trusted_ca`, stamps)
  if (trustedCa !== undefined) refuseNoCertificates(trustedCa, `${path}.trusted_ca`)
  return {
    trustedCa,
    trustedCaPath: pathOf(validation.trustedCa),
    usesSystemRoots: validation.systemRootCerts !== undefined,
    crl: compileDataSource(validation.crl, `${path}.crl`, stamps),
    names,
    certificateHashes: validation.verifyCertificateHash.map((hash, i) =>
      hexHash(hash, `${path}.verify_certificate_hash[${i}]`),
    ),
    keyHashes: validation.verifyCertificateSpki,
    acceptsUntrusted: validation.trustChainVerification === ChainVerification.ACCEPT_UNTRUSTED,
  }
}

/** One laid over another, as protobuf merges messages (CombinedCertificateValidationContext). */
export function mergeValidation(under: ValidationPlan, over: ValidationPlan): ValidationPlan {
  return {
    trustedCa: over.trustedCa ?? under.trustedCa,
    trustedCaPath: (over.trustedCa === undefined ? under : over).trustedCaPath,
    usesSystemRoots: over.usesSystemRoots || under.usesSystemRoots,
    crl: over.crl ?? under.crl,
    names: [...under.names, ...over.names],
    certificateHashes: [...under.certificateHashes, ...over.certificateHashes],
    keyHashes: [...under.keyHashes, ...over.keyHashes],
    acceptsUntrusted: over.acceptsUntrusted || under.acceptsUntrusted,
  }
}

const PEM_CERTIFICATE = /-----BEGIN (?:X509 )?CERTIFICATE-----[^-]*-----END (?:X509 )?CERTIFICATE-----/g

/** OpenSSL takes a bundle without any certificate in silence, and then trusts nobody. */
function refuseNoCertificates(pem: Buffer, path: string): void {
  const found = pem.toString('latin1').match(PEM_CERTIFICATE) ?? []
  if (found.length === 0) refuse(path, 'holds no certificate in PEM')
  for (const [i, text] of found.entries()) {
    try {
      new X509Certificate(text)
    } catch (thrown) {
      refuse(path, `certificate ${i}: ${errorText(thrown)}`)
    }
  }
}

function sanMatcher(type: SanType, proto: StringMatcherProto, path: string): SanMatcherPlan {
  const { matchPattern } = proto
  const matcher = compileStringMatcher(proto, path)
  if (type !== 'dns' || matchPattern.case !== 'exact') return { type, matcher }
  // A certificate's `*.a.example` stands for every host of it.
  const { value } = matchPattern
  return { type, matcher: { describe: matcher.describe, test: (name) => dnsNameMatches(name, value) } }
}

/** `AB:CD:...` or `abcd...` of 32 bytes. */
function hexHash(text: string, path: string): string {
  const hex = text.replaceAll(':', '').toLowerCase()
  return /^[0-9a-f]{64}$/.test(hex) ? hex : refuse(path, 'must be the 32 bytes of a SHA-256 in hex')
}
