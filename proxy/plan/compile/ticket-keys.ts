import { createHash } from 'node:crypto'
import type { TlsSessionTicketKeys } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { refuse } from '../plan-error.ts'
import { compileDataSource } from './data-source.ts'

/** Envoy's: a key that is shorter or longer is a mistake. */
const TICKET_KEY_BYTES = 80

/**
 * Node's TLS has one key where Envoy has several, and cuts it otherwise: the first key, which is the one that new tickets
 * are made with, is stretched over it. Tickets of the other keys lead to a whole handshake.
 */
export function ticketKeysOf(ticketKeys: TlsSessionTicketKeys, path: string, stamps: Map<string, string>): Buffer {
  const keys = ticketKeys.keys.map((source, i) => compileDataSource(source, `${path}.keys[${i}]`, stamps))
  for (const [i, key] of keys.entries()) {
    if (key?.length !== TICKET_KEY_BYTES) refuse(`${path}.keys[${i}]`, `must have ${TICKET_KEY_BYTES} bytes`)
  }
  return createHash('sha384')
    .update(keys[0] ?? refuse(`${path}.keys`, 'is needed'))
    .digest()
}
