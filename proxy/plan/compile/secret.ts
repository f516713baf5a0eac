import { createHash } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { TlsSessionTicketKeys } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { type Secret, SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { certificateOptions } from '../../tls/material.ts'
import { orRefuse, refuse } from '../plan-error.ts'
import type { SecretPlan } from '../secret-plan.ts'
import { compileDataSource } from './data-source.ts'
import { notHonoured } from './honoured.ts'
import { compileCertificate } from './tls-material.ts'
import { compileValidation } from './validation.ts'

/** Envoy's: a key that is shorter or longer is a mistake. */
const TICKET_KEY_BYTES = 80

/**
 * envoy.extensions.transport_sockets.tls.v3.Secret. Files that it names are read now, once. Throws a PlanError that
 * names the field, and never shows what is in it.
 */
export function compileSecret(secret: Secret): SecretPlan {
  const { name, type } = secret
  if (name === '') refuse('name', 'a secret needs a name')
  const ignored = notHonoured(SecretSchema, secret)
  switch (type.case) {
    case 'tlsCertificate': {
      const certificate = compileCertificate(type.value, 'tls_certificate')
      orRefuse('tls_certificate', () => createSecureContext(certificateOptions([certificate])))
      return { name, ignored, kind: 'tls_certificate', certificate }
    }
    case 'validationContext': {
      const validation = compileValidation(type.value, 'validation_context')
      const { crl } = validation
      if (crl !== undefined) orRefuse('validation_context.crl', () => createSecureContext({ crl }))
      return { name, ignored, kind: 'validation_context', validation }
    }
    case 'sessionTicketKeys':
      return { name, ignored, kind: 'session_ticket_keys', ticketKeys: ticketKeysOf(type.value, 'session_ticket_keys') }
    case 'genericSecret':
      return refuse('generic_secret', 'not supported')
    default:
      return refuse('', 'a tls_certificate, a validation_context or session_ticket_keys is needed')
  }
}

/**
 * Node's TLS has one key where Envoy has several, and cuts it otherwise: the first key, which is the one that new tickets
 * are made with, is stretched over it. Tickets of the other keys lead to a whole handshake.
 */
export function ticketKeysOf(ticketKeys: TlsSessionTicketKeys, path: string): Buffer {
  const keys = ticketKeys.keys.map((source, i) => compileDataSource(source, `${path}.keys[${i}]`))
  for (const [i, key] of keys.entries()) {
    if (key?.length !== TICKET_KEY_BYTES) refuse(`${path}.keys[${i}]`, `must have ${TICKET_KEY_BYTES} bytes`)
  }
  return createHash('sha384')
    .update(keys[0] ?? refuse(`${path}.keys`, 'is needed'))
    .digest()
}
