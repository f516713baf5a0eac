import { create } from '@bufbuild/protobuf'
import {
  AggregatedConfigSourceSchema,
  ApiVersion,
  ConfigSourceSchema,
} from '../../../api/gen/envoy/config/core/v3/config_source_pb.js'
import type { CertificateValidationContext } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  type SdsSecretConfig,
  SdsSecretConfigSchema,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import {
  CommonTlsContext_CombinedCertificateValidationContextSchema as CombinedSchema,
  type CommonTlsContext,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { type CredentialUse, ROOTS_SUFFIX } from '../../../config/credential/uses.ts'

const SCHEME = 'kubernetes://'

/** What a proxy asks for: Istio's names. */
export interface CredentialName {
  readonly secret: string
  readonly needs: CredentialUse['needs']
}

export function formatCredentialName({ secret, needs }: CredentialName): string {
  return `${SCHEME}${secret}${needs === 'roots' ? ROOTS_SUFFIX : ''}`
}

/** undefined for a name that is none of these. What is in it is the client's word, and may be anything. */
export function parseCredentialName(name: string): CredentialName | undefined {
  if (!name.startsWith(SCHEME)) return undefined
  const secret = name.slice(SCHEME.length)
  if (!secret.endsWith(ROOTS_SUFFIX)) return { secret, needs: 'certificate' }
  return { secret: secret.slice(0, -ROOTS_SUFFIX.length), needs: 'roots' }
}

/**
 * A reference to a secret, over the aggregated stream. Unlike all else it is not waited for without end (Istio's choice too): a Secret
 * that is not there must not keep the other servers of its port from opening.
 */
export function secretConfig(name: string): SdsSecretConfig {
  const sdsConfig = create(ConfigSourceSchema, {
    configSourceSpecifier: { case: 'ads', value: create(AggregatedConfigSourceSchema) },
    resourceApiVersion: ApiVersion.V3,
  })
  return create(SdsSecretConfigSchema, { name, sdsConfig })
}

export function credentialConfig(use: CredentialName): SdsSecretConfig {
  return secretConfig(formatCredentialName(use))
}

/** What is asked of a peer beside the roots, under what the secret with those says. */
export function validationBy(
  defaultValidationContext: CertificateValidationContext,
  validationContextSdsSecretConfig: SdsSecretConfig,
): CommonTlsContext['validationContextType'] {
  return {
    case: 'combinedValidationContext',
    value: create(CombinedSchema, { defaultValidationContext, validationContextSdsSecretConfig }),
  }
}
