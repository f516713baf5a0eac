import { fromJson } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { secretServers } from './secret-streams.ts'

const clusterAt = (name: string, address: object, fields: object = {}) =>
  fromJson(ClusterSchema, {
    name,
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] },
    ...fields,
  } as never)

test('secrets may be asked of static clusters with an address and without TLS', () => {
  const socket = { socketAddress: { address: '127.0.0.1', portValue: 15012 } }
  const servers = secretServers([
    clusterAt('tcp', socket),
    clusterAt('unix', { pipe: { path: '/run/sds.sock' } }),
    clusterAt('tls', socket, { transportSocket: { name: 'tls' } }),
    fromJson(ClusterSchema, { name: 'empty' }),
  ])
  expect([...servers]).toEqual([
    ['tcp', '127.0.0.1:15012'],
    ['unix', 'unix:/run/sds.sock'],
  ])
})
