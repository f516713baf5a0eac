import { X509Certificate } from 'node:crypto'
import { create, toJson } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  type CertificateDetails,
  CertificateDetailsSchema,
  CertificateSchema,
  CertificatesSchema,
  type SubjectAlternateName,
  SubjectAlternateNameSchema,
} from '../../../api/gen/envoy/admin/v3/certs_pb.js'
import { fromPem } from '../../../lib/x509/pem.ts'
import type { Plan } from '../../plan/plan.ts'
import { tlsContexts } from '../../plan/secret-needs.ts'
import type { CertificatesPlan, PemPlan } from '../../plan/tls-plan.ts'
import { parseAltNames } from '../../tls/alt-names.ts'
import type { IdentityState } from '../../xds/secret-provider.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Envoy's word in the place of a path. */
const INLINE = '<inline>'
/** Of a bundle of roots; the operating system's has more than a hundred. */
const MAX_ROOTS = 16

/**
 * envoy.admin.v3.Certificates: what the TLS contexts of a plan trust and show, once where several have the same, with its own state of
 * the workload's identity beside it. Nothing private is in it. Envoy says of a bundle of roots the first only.
 */
export function certs(plan: Plan, identity: IdentityState | undefined, wallMs: number): unknown {
  // Certificates know no parts of a second, and Envoy's days are counted so.
  const nowMs = Math.floor(wallMs / 1000) * 1000
  const found = new Map<string, CertificatesPlan>()
  for (const context of tlsContexts(plan)) {
    const { certificates } = context.of(plan.secrets)
    if (certificates === undefined) continue
    const { chains, roots } = certificates
    if (chains.length > 0 || roots !== undefined) found.set(keyOf(certificates), certificates)
  }
  const certificates = [...found.values()].map(({ chains, roots }) =>
    create(CertificateSchema, {
      caCert: roots === undefined ? [] : detailsOf(roots, nowMs).slice(0, MAX_ROOTS),
      certChain: chains.flatMap((chain) => leafOf(detailsOf(chain, nowMs))),
    }),
  )
  const json = toJson(CertificatesSchema, create(CertificatesSchema, { certificates }), {
    useProtoFieldName: true,
    alwaysEmitImplicit: true,
  }) as Record<string, unknown>
  return identity === undefined ? json : { ...json, workload_identity: identityJson(identity) }
}

/** Envoy's value where there is no certificate. */
const NO_EXPIRY_DAYS = 0xffffffff

/** Whole days until the first of the certificates that TLS contexts of a plan trust or show ends. */
export function daysUntilFirstExpiry(plan: Plan, wallMs: number): number {
  const days = [...tlsContexts(plan)].flatMap((context) => {
    const { chains = [], roots } = context.of(plan.secrets).certificates ?? {}
    return [...chains, ...(roots === undefined ? [] : [roots])].flatMap((pem) => detailsOf(pem, wallMs))
  })
  return days.reduce((least, { daysUntilExpiration }) => Math.min(least, Number(daysUntilExpiration)), NO_EXPIRY_DAYS)
}

function keyOf({ chains, roots }: CertificatesPlan): string {
  return JSON.stringify([...chains, roots].map((one) => [one?.path, one?.pem.toString('latin1')]))
}

/** Of a chain its first certificate stands for all, and the one that ends first ends all (Envoy's rule). */
function leafOf(chain: readonly CertificateDetails[]): CertificateDetails[] {
  const [leaf] = chain
  if (leaf === undefined) return []
  const days = chain.map(({ daysUntilExpiration }) => Number(daysUntilExpiration))
  return [{ ...leaf, daysUntilExpiration: BigInt(Math.min(...days)) }]
}

function detailsOf({ path, pem }: PemPlan, nowMs: number): CertificateDetails[] {
  return fromPem(pem.toString('latin1'), 'CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE').flatMap((der) => {
    const certificate = read(der)
    if (certificate === undefined) return []
    const { serialNumber, subjectAltName, validFrom, validTo } = certificate
    const [fromMs, toMs] = [Date.parse(validFrom), Date.parse(validTo)]
    return create(CertificateDetailsSchema, {
      path: path || INLINE,
      serialNumber: serialNumber.toLowerCase(),
      subjectAltNames: parseAltNames(subjectAltName).flatMap(({ type, value }) => altName(type, value)),
      daysUntilExpiration: BigInt(Math.max(0, Math.floor((toMs - nowMs) / DAY_MS))),
      validFrom: timestampFromMs(fromMs),
      expirationTime: timestampFromMs(toMs),
    })
  })
}

/** undefined for what OpenSSL reads otherwise: that of a trusted certificate is followed by what it is trusted for. */
function read(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der)
  } catch {
    return undefined
  }
}

/** Envoy's message has no place for the others. */
function altName(type: string, value: string): SubjectAlternateName[] {
  const name = (field: 'dns' | 'uri' | 'ipAddress') =>
    create(SubjectAlternateNameSchema, { name: { case: field, value } })
  switch (type) {
    case 'dns':
      return [name('dns')]
    case 'uri':
      return [name('uri')]
    case 'ip':
      return [name('ipAddress')]
    default:
      return []
  }
}

function identityJson({ startMs, endMs, isExpired, lastError, failingSinceMs }: IdentityState): object {
  const time = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString())
  return {
    valid_from: time(startMs),
    expiration_time: time(endMs),
    is_expired: isExpired,
    last_error: lastError,
    failing_since: time(failingSinceMs),
  }
}
