import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { GrpcAuthorizationServer, HttpAuthorizationServer, type Told } from '../support/authorization-server.ts'
import { EchoServer } from '../support/echo-server.ts'
import { sendRaw } from '../support/raw-http.ts'
import { cluster, HTTP2, typed } from '../support/static-resources.ts'
import { outcomeOf } from './outcome.ts'
import { StaticPair } from './static-pair.ts'

/** External authorization: what real Envoy and ours tell the same servers, and what they make of the answers. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const UPSTREAM_PORT = 7698
const FIRST_PORT = 7700
const patterns = (...names: string[]) => ({ patterns: names.map((exact) => ({ exact })) })
const grpc = { grpc_service: { envoy_grpc: { cluster_name: 'grpc' }, timeout: '0.5s' }, transport_api_version: 'V3' }
/** As Istio's pilot writes it for the provider envoyExtAuthzHttp. */
const http = {
  transport_api_version: 'V3',
  allowed_headers: patterns('x-case', 'x-more', 'cookie'),
  http_service: {
    server_uri: { uri: 'http://http.test', cluster: 'http', timeout: '0.5s' },
    path_prefix: '/check',
    authorization_request: { headers_to_add: [{ key: 'x-added', value: 'by the mesh' }] },
    authorization_response: {
      allowed_upstream_headers: patterns('x-user'),
      allowed_upstream_headers_to_append: patterns('x-more', 'x-none'),
      allowed_client_headers: patterns('x-reason'),
      allowed_client_headers_on_success: patterns('x-checked'),
    },
  },
}
const CASES = {
  grpc,
  grpcOpen: { ...grpc, failure_mode_allow: true, failure_mode_allow_header_add: true },
  grpcBody: { ...grpc, with_request_body: { max_request_bytes: 10 } },
  grpcPart: {
    ...grpc,
    with_request_body: { max_request_bytes: 10, allow_partial_message: true },
    status_on_error: { code: 'ServiceUnavailable' },
  },
  grpcSome: { ...grpc, allowed_headers: patterns('x-case') },
  grpcDown: { grpc_service: { envoy_grpc: { cluster_name: 'closed' }, timeout: '0.5s' }, transport_api_version: 'V3' },
  grpcMeta: {
    ...grpc,
    filter_enabled_metadata: { filter: 'none', path: [{ key: 'k' }], value: { string_match: { prefix: 'x' } } },
  },
  http,
  httpOpen: { ...http, failure_mode_allow: true },
  httpBody: { ...http, with_request_body: { max_request_bytes: 10 } },
}
type Case = keyof typeof CASES
const portOf = (name: Case) => FIRST_PORT + Object.keys(CASES).indexOf(name)

const upstream = new EchoServer('up')
const grpcServer = new GrpcAuthorizationServer()
const httpServer = new HttpAuthorizationServer()
const pair = new StaticPair()

beforeAll(async () => {
  if (envoy === undefined) return
  await upstream.listen(UPSTREAM_PORT, '127.0.0.1')
  await pair.start(
    envoy,
    Object.keys(CASES).map((name) => portOf(name as Case)),
    (address) => Object.keys(CASES).map((name) => listenerOf(address, name as Case)),
    [
      cluster('up', [UPSTREAM_PORT]),
      cluster('grpc', [await grpcServer.listen()], HTTP2),
      cluster('http', [await httpServer.listen()]),
      cluster('closed', [1], HTTP2),
    ],
  )
}, 60_000)

afterAll(async () => {
  upstream.close()
  grpcServer.close()
  httpServer.close()
  await pair.stop()
}, 20_000)

function listenerOf(address: string, name: Case): object {
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    http_filters: [
      { name: 'authz', typed_config: typed('filters.http.ext_authz.v3.ExtAuthz', CASES[name]) },
      { name: 'router', typed_config: typed('filters.http.router.v3.Router') },
    ],
    route_config: {
      name: 'r',
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            {
              match: { prefix: '/free' },
              route: { cluster: 'up' },
              typed_per_filter_config: perRoute({ disabled: true }),
            },
            {
              match: { prefix: '/said' },
              route: { cluster: 'up' },
              typed_per_filter_config: perRoute({ check_settings: { context_extensions: { a: 'b' } } }),
            },
            { match: { prefix: '/' }, route: { cluster: 'up' } },
          ],
        },
      ],
    },
  })
  return {
    name,
    address: { socket_address: { address, port_value: portOf(name) } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  }
}

function perRoute(fields: object): object {
  return {
    'envoy.filters.http.ext_authz': typed('filters.http.ext_authz.v3.ExtAuthzPerRoute', fields),
    authz: typed('filters.http.ext_authz.v3.ExtAuthzPerRoute', fields),
  }
}

/** What each proxy says in its own way, or not at all, to the server. */
const VARYING =
  /^(x-request-id|x-forwarded-for|x-forwarded-proto|x-envoy-.*time.*|x-envoy-internal|connection|content-length|transfer-encoding)$/

function comparable(told: Told): Told {
  const headers = Object.fromEntries(
    Object.entries(told.headers)
      .filter(([name]) => !VARYING.test(name))
      .sort(),
  )
  return { ...told, headers }
}

async function ask(host: string, name: Case, path: string, headers: readonly string[], body: string) {
  const { told } = name.startsWith('grpc') ? grpcServer : httpServer
  const before = told.length
  const lines = [`${body === '' ? 'GET' : 'POST'} ${path} HTTP/1.1`, 'host: shop.test', 'connection: close', ...headers]
  if (body !== '') lines.push(`content-length: ${body.length}`)
  const outcome = outcomeOf(await sendRaw(host, portOf(name), `${lines.join('\r\n')}\r\n\r\n${body}`))
  return { ...outcome, told: told.slice(before).map(comparable) }
}

const FIELDS = ['x-more: a', 'x-secret: s', 'authorization: Bearer t', 'cookie: c=1', 'x-checked: no']

withEnvoy.each<[Case, string, string, string]>([
  ['grpc', 'ok', '/', ''],
  ['grpc', 'ok', '/a?b=c', 'a body that is not told'],
  ['grpc', 'fields', '/', ''],
  ['grpc', 'query', '/a?x=1', ''],
  ['grpc', 'answered', '/', ''],
  ['grpc', 'overwritten', '/', ''],
  ['grpc', 'refused', '/', ''],
  ['grpc', 'denied', '/', ''],
  ['grpc', 'denied', '/', 'with a body'],
  ['grpc', 'told', '/', ''],
  ['grpc', 'error', '/', ''],
  ['grpc', 'silence', '/', ''],
  ['grpc', 'ok', '/free', ''],
  ['grpc', 'denied', '/free', ''],
  ['grpc', 'ok', '/said', ''],
  ['grpcOpen', 'error', '/', ''],
  ['grpcOpen', 'silence', '/', 'body'],
  ['grpcOpen', 'denied', '/', ''],
  ['grpcBody', 'ok', '/', 'ten bytes.'],
  ['grpcBody', 'ok', '/', ''],
  ['grpcBody', 'ok', '/', 'eleven byte'],
  ['grpcPart', 'ok', '/', 'more than ten bytes'],
  ['grpcPart', 'error', '/', 'short'],
  ['grpcSome', 'ok', '/', ''],
  ['grpcDown', 'ok', '/', ''],
  ['grpcMeta', 'denied', '/', ''],
  ['http', 'ok', '/a?b=c', ''],
  ['http', 'ok', '/', 'a body that is not told'],
  ['http', 'fields', '/', ''],
  ['http', 'denied', '/', ''],
  ['http', 'told', '/', ''],
  ['http', 'error', '/', ''],
  ['http', 'silence', '/', ''],
  ['httpOpen', 'error', '/', ''],
  ['httpOpen', 'silence', '/', ''],
  ['httpBody', 'ok', '/', 'ten bytes.'],
  ['httpBody', 'ok', '/', 'eleven byte'],
])('%s: a server that answers %s to %s with %j', async (name, answer, path, body) => {
  const headers = [...FIELDS, `x-case: ${answer}`]
  const theirs = await ask(pair.hosts.envoy, name, path, headers, body)
  const ours = await ask(pair.hosts.lateen, name, path, headers, body)
  expect(ours).toEqual(theirs)
})
