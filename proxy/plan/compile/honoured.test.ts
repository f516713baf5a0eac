import { type DescMessage, fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { ClusterSchema } from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterLoadAssignmentSchema } from '../../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { ListenerSchema } from '../../../api/gen/envoy/config/listener/v3/listener_pb.js'
import { RouteConfigurationSchema } from '../../../api/gen/envoy/config/route/v3/route_pb.js'
import { SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { REGISTRY } from '../../../api/registry.ts'
import { notHonoured, unknownNames } from './honoured.ts'

const ignoredOf = <D extends DescMessage>(schema: D, json: JsonValue) =>
  notHonoured(schema, fromJson(schema, json, { registry: REGISTRY }))

test('every name in the table is a field', () => {
  const schemas = [ClusterSchema, ClusterLoadAssignmentSchema, ListenerSchema, RouteConfigurationSchema, SecretSchema]
  expect(unknownNames(schemas)).toEqual([])
})

test('what is honoured is not named', () => {
  const cluster = {
    name: 'a',
    type: 'EDS',
    edsClusterConfig: { serviceName: 'b', edsConfig: { ads: {} } },
    circuitBreakers: { thresholds: [{ maxRequests: 7 }] },
    connectTimeout: '3s',
  }
  expect(ignoredOf(ClusterSchema, cluster)).toEqual([])
  const routes = {
    name: 'r',
    virtualHosts: [
      {
        name: 'h',
        domains: ['*'],
        routes: [{ match: { prefix: '/' }, route: { weightedClusters: { clusters: [{ name: 'a', weight: 1 }] } } }],
      },
    ],
  }
  expect(ignoredOf(RouteConfigurationSchema, routes)).toEqual([])
})

test('what is not is named by its path, once', () => {
  const route = (name: string) => ({ match: { prefix: name }, route: { cluster: 'a', appendXForwardedHost: true } })
  const routes = {
    name: 'r',
    maxDirectResponseBodySizeBytes: 5,
    virtualHosts: [{ name: 'h', domains: ['*'], routes: [route('/a'), route('/b')], virtualClusters: [{ name: 'v' }] }],
  }
  expect(ignoredOf(RouteConfigurationSchema, routes).sort()).toEqual([
    'max_direct_response_body_size_bytes',
    'virtual_hosts.routes.route.append_x_forwarded_host',
    'virtual_hosts.virtual_clusters',
  ])
  expect(ignoredOf(ClusterSchema, { name: 'a', perConnectionBufferLimitBytes: 3 })).toEqual([
    'per_connection_buffer_limit_bytes',
  ])
})

test('messages that are packed are looked into, under their own name', () => {
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    statPrefix: 'p',
    rds: { routeConfigName: 'r', configSource: { ads: {} } },
    commonHttpProtocolOptions: { idleTimeout: '5s', maxConnectionDuration: '60s' },
    httpFilters: [
      {
        name: 'router',
        typedConfig: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
          suppressEnvoyHeaders: true,
        },
      },
    ],
  }
  const listener = {
    name: 'l',
    tcpBacklogSize: 5,
    filterChains: [{ filters: [{ name: 'hcm', typedConfig: manager }] }],
  }
  expect(ignoredOf(ListenerSchema, listener).sort()).toEqual([
    'filter_chains.filters.http_connection_manager.common_http_protocol_options.max_connection_duration',
    'filter_chains.filters.http_connection_manager.http_filters.router.suppress_envoy_headers',
    'tcp_backlog_size',
  ])
})

test('what a log does not honour is named', () => {
  const types = 'type.googleapis.com/envoy.extensions'
  const log = {
    '@type': `${types}.access_loggers.grpc.v3.TcpGrpcAccessLogConfig`,
    commonConfig: { logName: 'l', bufferSizeBytes: 1, filterStateObjectsToLog: ['a'] },
  }
  const proxy = {
    '@type': `${types}.filters.network.tcp_proxy.v3.TcpProxy`,
    statPrefix: 's',
    cluster: 'c',
    accessLog: [{ name: 'als', typedConfig: log }],
  }
  const listener = { name: 'l', filterChains: [{ filters: [{ name: 'tcp', typedConfig: proxy }] }] }
  expect(ignoredOf(ListenerSchema, listener).map((path) => path.split('.').slice(-2))).toEqual([
    ['common_config', 'filter_state_objects_to_log'],
  ])
})

test('fields of a newer protocol are named by their number', () => {
  const cluster = fromJson(ClusterSchema, { name: 'a' })
  cluster.$unknown = [{ no: 999, wireType: 0, data: new Uint8Array([1]) }]
  expect(notHonoured(ClusterSchema, cluster)).toEqual(['#999'])
})
