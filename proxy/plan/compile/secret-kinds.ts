import type {
  CertificateValidationContext,
  TlsCertificate,
  TlsSessionTicketKeys,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { fromFiles } from '../files.ts'
import type { SecretKind, SecretPlan } from '../secret-plan.ts'
import { compileCertificate } from './certificate.ts'
import { ticketKeysOf } from './ticket-keys.ts'
import { compileValidation } from './validation.ts'

/*
 * Each kind of secret, wherever it stands: in a Secret, or in the TLS context itself. Each may name files, and is made anew of them
 * when they change. All throw a PlanError that names the field below `path`.
 */

export type SecretOfKind<K extends SecretKind> = Extract<SecretPlan, { kind: K }>

export function certificateSecret(tls: TlsCertificate, path: string, name = path): SecretOfKind<'tls_certificate'> {
  const stamps = new Map<string, string>()
  const certificate = compileCertificate(tls, path, stamps)
  const files = fromFiles(stamps, () => certificateSecret(tls, path, name))
  return { name, ignored: [], kind: 'tls_certificate', certificate, files }
}

export function validationSecret(
  context: CertificateValidationContext,
  path: string,
  name = path,
): SecretOfKind<'validation_context'> {
  const stamps = new Map<string, string>()
  const validation = compileValidation(context, path, stamps)
  const files = fromFiles(stamps, () => validationSecret(context, path, name))
  return { name, ignored: [], kind: 'validation_context', validation, files }
}

export function ticketKeysSecret(
  keys: TlsSessionTicketKeys,
  path: string,
  name = path,
): SecretOfKind<'session_ticket_keys'> {
  const stamps = new Map<string, string>()
  const ticketKeys = ticketKeysOf(keys, path, stamps)
  const files = fromFiles(stamps, () => ticketKeysSecret(keys, path, name))
  return { name, ignored: [], kind: 'session_ticket_keys', ticketKeys, files }
}
