import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { afterAll, expect, test } from '@jest/globals'
import { GrpcServiceSchema } from '../../api/gen/envoy/config/core/v3/grpc_service_pb.js'
import { parseBootstrap } from './bootstrap.ts'
import { headersOf } from './management-channel.ts'
import { managementServer } from './management-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-channel-'))
const tokenFile = join(folder, 'token')
afterAll(() => rmSync(folder, { recursive: true }))

const service = create(GrpcServiceSchema, { initialMetadata: [{ key: 'X-Mesh', value: 'one' }] })

test('a token is read anew, and sent over TLS only', () => {
  writeFileSync(tokenFile, 'first\n')
  const headers = headersOf(service, 'grpc', tokenFile, true)
  expect(headers()).toEqual([
    ['x-mesh', 'one'],
    ['authorization', 'Bearer first'],
  ])
  writeFileSync(tokenFile, 'second')
  expect(headers()[1]).toEqual(['authorization', 'Bearer second'])
  expect(headersOf(service, 'grpc', tokenFile, false)()).toEqual([['x-mesh', 'one']])
})

test('what the bootstrap says of the caller comes before the token of a file', () => {
  const saying = create(GrpcServiceSchema, { initialMetadata: [{ key: 'authorization', value: 'Bearer fixed' }] })
  expect(headersOf(saying, 'grpc', tokenFile, true)()).toEqual([['authorization', 'Bearer fixed']])
})

const tls = (context: object) => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    common_tls_context: context,
  },
})

function serverOf(grpcService: object, transportSocket?: object) {
  const address = { socket_address: { address: '127.0.0.1', port_value: 15012 } }
  const bootstrap = {
    node: { id: 'a', cluster: 'b' },
    dynamic_resources: { ads_config: { api_type: 'GRPC', grpc_services: [grpcService] } },
    static_resources: {
      clusters: [
        {
          name: 'xds',
          load_assignment: { cluster_name: 'xds', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
          ...(transportSocket && { transport_socket: transportSocket }),
        },
      ],
    },
  }
  return managementServer(parseBootstrap(JSON.stringify(bootstrap), 'b.json'), 'b.json')
}

const envoy = { envoy_grpc: { cluster_name: 'xds' } }
const google = (more: object) => ({ google_grpc: { target_uri: 'dns:///pilot:15012', stat_prefix: 'ads', ...more } })

test('plain text where nothing else is said', () => {
  expect(serverOf(envoy)?.server.secure).toBeUndefined()
  expect(serverOf(google({}))?.server.secure).toBeUndefined()
})

test.each<[string, () => unknown, string]>([
  [
    'a server that is not verified',
    () => serverOf(envoy, tls({})),
    'static_resources.clusters[0].transport_socket.typed_config.common_tls_context.validation_context.trusted_ca',
  ],
  [
    'roots that are a secret',
    () => serverOf(envoy, tls({ validation_context_sds_secret_config: { name: 'ROOTCA', sds_config: { ads: {} } } })),
    'cannot wait for a secret',
  ],
  [
    'roots that are none',
    () => serverOf(envoy, tls({ validation_context: { trusted_ca: { inline_string: 'no' } } })),
    'holds no certificate',
  ],
  [
    "google_grpc: the machine's own credentials",
    () => serverOf(google({ channel_credentials: { google_default: {} } })),
    'channel_credentials.google_default',
  ],
  [
    'google_grpc: a token in the clear',
    () => serverOf(google({ call_credentials: [{ access_token: 'secret' }] })),
    'call_credentials[0].access_token: is for TLS only',
  ],
])('%s is refused by name', (_what, make, reason) => {
  expect(make).toThrow(reason)
})
