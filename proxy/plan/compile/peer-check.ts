import type { CertificateValidationContext } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  CertificateValidationContext_TrustChainVerification as ChainVerification,
  SubjectAltNameMatcher_SanType as SanTypeProto,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import type { StringMatcher as StringMatcherProto } from '../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import { dnsNameMatches } from '../../tls/peer.ts'
import { refuse } from '../plan-error.ts'
import type { PeerCheckPlan, SanMatcherPlan, SanType } from '../tls-plan.ts'
import { compileStringMatcher } from './common.ts'

export const NO_CHECK: PeerCheckPlan = { verifiesChain: false, names: [], certificateHashes: [], keyHashes: [] }

const SAN_TYPES: Readonly<Record<number, SanType>> = {
  [SanTypeProto.DNS]: 'dns',
  [SanTypeProto.URI]: 'uri',
  [SanTypeProto.EMAIL]: 'email',
  [SanTypeProto.IP_ADDRESS]: 'ip',
}

/** Fields that would make a peer acceptable that is not, or the other way round, are refused and not passed over. */
export function compilePeerCheck(validation: CertificateValidationContext | undefined, path: string): PeerCheckPlan {
  if (validation === undefined) return NO_CHECK
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
  const hasRoots = validation.trustedCa !== undefined || validation.systemRootCerts !== undefined
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
  if (names.length > 0 && !hasRoots) {
    refuse(`${path}.match_typed_subject_alt_names`, 'names prove nothing without a trusted_ca')
  }
  if (validation.crl !== undefined && !hasRoots) refuse(`${path}.crl`, 'needs a trusted_ca')
  const certificateHashes = validation.verifyCertificateHash.map((hash, i) =>
    hexHash(hash, `${path}.verify_certificate_hash[${i}]`),
  )
  // Whoever fails is let in all the same: then nothing needs to be looked at.
  if (validation.trustChainVerification === ChainVerification.ACCEPT_UNTRUSTED) return NO_CHECK
  return {
    verifiesChain: hasRoots,
    names,
    certificateHashes,
    keyHashes: validation.verifyCertificateSpki,
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
