import { createSecureContext } from 'node:tls'
import { type Secret, SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { certificateOptions } from '../../tls/material.ts'
import { fromFiles } from '../files.ts'
import { orRefuse, refuse } from '../plan-error.ts'
import type { SecretPlan } from '../secret-plan.ts'
import { notHonoured } from './honoured.ts'
import { certificateSecret, ticketKeysSecret, validationSecret } from './secret-kinds.ts'

/**
 * envoy.extensions.transport_sockets.tls.v3.Secret. Files that it names are read now, and again when they change. Throws a PlanError
 * that names the field, and never shows what is in it.
 */
export function compileSecret(secret: Secret): SecretPlan {
  if (secret.name === '') refuse('name', 'a secret needs a name')
  const plan = compileKind(secret)
  const files = plan.files && fromFiles(plan.files.stamps, () => compileSecret(secret))
  return { ...plan, files, ignored: notHonoured(SecretSchema, secret) }
}

function compileKind({ name, type }: Secret): SecretPlan {
  switch (type.case) {
    case 'tlsCertificate': {
      const plan = certificateSecret(type.value, 'tls_certificate', name)
      orRefuse('tls_certificate', () => createSecureContext(certificateOptions([plan.certificate])))
      return plan
    }
    case 'validationContext': {
      const plan = validationSecret(type.value, 'validation_context', name)
      const { crl } = plan.validation
      if (crl !== undefined) orRefuse('validation_context.crl', () => createSecureContext({ crl }))
      return plan
    }
    case 'sessionTicketKeys':
      return ticketKeysSecret(type.value, 'session_ticket_keys', name)
    case 'genericSecret':
      return refuse('generic_secret', 'not supported')
    default:
      return refuse('', 'a tls_certificate, a validation_context or session_ticket_keys is needed')
  }
}
