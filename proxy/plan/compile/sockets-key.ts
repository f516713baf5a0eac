import { createHash } from 'node:crypto'
import { toBinary } from '@bufbuild/protobuf'
import type { Cluster } from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { type TransportSocket, TransportSocketSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import type { HttpTlsOptions } from './transport-socket.ts'

/**
 * The same for two versions of a cluster that call their hosts the same way, as they are written: a digest, since private keys may
 * be among it. What files and secrets hold that they name is no part of it.
 */
export function socketsKey({ transportSocket, transportSocketMatches }: Cluster, tls: HttpTlsOptions): string {
  const matches = transportSocketMatches.map(({ match, transportSocket: socket }) => {
    const criteria = Object.entries(match ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
    return [criteria, bytesOf(socket)]
  })
  const written = JSON.stringify([bytesOf(transportSocket), matches, tls.autoSni, tls.autoSanValidation])
  return createHash('sha256').update(written).digest('base64')
}

function bytesOf(socket: TransportSocket | undefined): string | null {
  return socket === undefined ? null : Buffer.from(toBinary(TransportSocketSchema, socket)).toString('base64')
}
