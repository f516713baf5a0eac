import { X509Certificate } from 'node:crypto'
import { fromPem } from '../../lib/x509/pem.ts'

/** One certificate, or one secret that has none, as istioctl's `proxy-config secret` has them. */
export interface SecretRow {
  readonly name: string
  /** `Cert Chain` or `CA`; '' while it is not known. */
  readonly type: string
  readonly status: 'ACTIVE' | 'WARMING'
  /** It is there, has begun and has not ended. */
  readonly isValid: boolean
  /** Hex; '' where there is no certificate to be read. */
  readonly serial: string
  /** RFC 3339. */
  readonly notAfter: string
  readonly notBefore: string
}

type Json = Record<string, unknown>
type Read = Pick<SecretRow, 'isValid' | 'serial' | 'notAfter' | 'notBefore'>

const UNREAD: Read = { isValid: false, serial: '', notAfter: '', notBefore: '' }

/**
 * Of envoy.admin.v3.SecretsConfigDump as JSON, a row for each certificate of a bundle of roots, and one for the first of a chain. What
 * is in files of the proxy's machine is looked up by their path in envoy.admin.v3.Certificates (`/certs`).
 */
export function secretRows(dump: unknown, certs: unknown, nowMs: number): SecretRow[] {
  const byPath = certificatesByPath(certs, nowMs)
  const rows = (states: unknown, status: SecretRow['status']) =>
    list(states).flatMap(({ name, secret }) =>
      secretRow(String(name), status, secret as Json | undefined, byPath, nowMs),
    )
  const { static_secrets, dynamic_active_secrets, dynamic_warming_secrets } = dump as Json
  return [
    ...rows(static_secrets, 'ACTIVE'),
    ...rows(dynamic_active_secrets, 'ACTIVE'),
    ...rows(dynamic_warming_secrets, 'WARMING'),
  ]
}

function secretRow(
  name: string,
  status: SecretRow['status'],
  secret: Json | undefined,
  byPath: ReadonlyMap<string, readonly Read[]>,
  nowMs: number,
): SecretRow[] {
  const chain = field(secret, 'tls_certificate', 'certificate_chain')
  const roots = field(secret, 'validation_context', 'trusted_ca')
  const type = chain !== undefined ? 'Cert Chain' : roots !== undefined ? 'CA' : ''
  const all = certificatesOf(chain ?? roots, byPath, nowMs)
  const shown = chain === undefined ? all : all.slice(0, 1)
  return (shown.length === 0 ? [UNREAD] : shown).map((read) => ({ name, type, status, ...read }))
}

function certificatesOf(source: unknown, byPath: ReadonlyMap<string, readonly Read[]>, nowMs: number): readonly Read[] {
  const { filename, inline_bytes: bytes, inline_string: text } = (source ?? {}) as Record<string, string | undefined>
  if (filename !== undefined) return byPath.get(filename) ?? []
  const pem = text ?? Buffer.from(bytes ?? '', 'base64').toString('latin1')
  return fromPem(pem, 'CERTIFICATE').flatMap((der) => {
    try {
      const { serialNumber, validFrom, validTo } = new X509Certificate(der)
      return read(serialNumber, Date.parse(validFrom), Date.parse(validTo), nowMs)
    } catch {
      return []
    }
  })
}

function certificatesByPath(certs: unknown, nowMs: number): Map<string, Read[]> {
  const found = new Map<string, Map<string, Read>>()
  for (const { ca_cert, cert_chain } of list((certs as Json).certificates)) {
    for (const details of [...list(ca_cert), ...list(cert_chain)]) {
      const path = String(details.path)
      const of = found.get(path) ?? new Map<string, Read>()
      const [fromMs, toMs] = [Date.parse(String(details.valid_from)), Date.parse(String(details.expiration_time))]
      // The same file may be in several contexts.
      of.set(String(details.serial_number), read(String(details.serial_number), fromMs, toMs, nowMs))
      found.set(path, of)
    }
  }
  return new Map([...found].map(([path, of]) => [path, [...of.values()]]))
}

function read(serial: string, fromMs: number, toMs: number, nowMs: number): Read {
  const text = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')
  const isValid = fromMs <= nowMs && nowMs < toMs
  return { isValid, serial: serial.toLowerCase(), notAfter: text(toMs), notBefore: text(fromMs) }
}

function field(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Json | undefined)?.[key], value)
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? (value as Json[]) : []
}
