import { create } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import {
  HttpProtocolOptionsSchema as CommonOptionsSchema,
  Http1ProtocolOptionsSchema,
  Http2ProtocolOptionsSchema,
  UpstreamHttpProtocolOptionsSchema,
} from '../../../api/gen/envoy/config/core/v3/protocol_pb.js'
import {
  type HttpProtocolOptions,
  HttpProtocolOptions_ExplicitHttpConfigSchema,
  HttpProtocolOptions_UseDownstreamHttpConfigSchema,
  HttpProtocolOptionsSchema,
} from '../../../api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import type { ClientTLSSettings, ConnectionPoolSettings } from '../../../crds/kinds/destination-rule.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import { isHttp, isHttp2, type Protocol } from '../../registry/protocol.ts'
import { any, durationOf } from '../messages.ts'
import { autoNames } from './transport-socket.ts'

const EXTENSION = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/** How a cluster speaks HTTP; nothing when it does not, and when it is as without being told: HTTP/1.1. */
export function httpOptions(
  protocol: Protocol,
  pool: ConnectionPoolSettings | undefined,
  tls: ClientTLSSettings | undefined,
  options: MeshOptions,
): { [extension: string]: Any } {
  if (!isHttp(protocol)) return {}
  const settings = pool?.http
  const idleTimeout = durationOf(settings?.idleTimeout)
  const names = autoNames(tls)
  const perConnection = settings?.maxRequestsPerConnection ?? 0
  const spoken = protocolOptions(protocol, pool, options)
  if (isPlainHttp1(spoken) && !names.autoSni && !idleTimeout && perConnection === 0) return {}
  const message = create(HttpProtocolOptionsSchema, {
    upstreamProtocolOptions: spoken,
    ...(names.autoSni && { upstreamHttpProtocolOptions: create(UpstreamHttpProtocolOptionsSchema, names) }),
    ...((idleTimeout || perConnection > 0) && {
      commonHttpProtocolOptions: create(CommonOptionsSchema, {
        ...(idleTimeout && { idleTimeout }),
        ...(perConnection > 0 && { maxRequestsPerConnection: perConnection }),
      }),
    }),
  })
  return { [EXTENSION]: any(HttpProtocolOptionsSchema, message) }
}

function isPlainHttp1(options: ProtocolOptions): boolean {
  return options.case === 'explicitHttpConfig' && options.value.protocolConfig.case === 'httpProtocolOptions'
}

/** For clusters that take whatever the client speaks. */
export function downstreamProtocolOptions(): { [extension: string]: Any } {
  const message = create(HttpProtocolOptionsSchema, { upstreamProtocolOptions: sameAsClient(undefined) })
  return { [EXTENSION]: any(HttpProtocolOptionsSchema, message) }
}

type ProtocolOptions = HttpProtocolOptions['upstreamProtocolOptions']

function protocolOptions(
  protocol: Protocol,
  pool: ConnectionPoolSettings | undefined,
  options: MeshOptions,
): ProtocolOptions {
  if (pool?.http?.useClientProtocol) return sameAsClient(pool)
  const policy = pool?.http?.h2UpgradePolicy ?? 'DEFAULT'
  const upgrade = (policy === 'DEFAULT' ? options.h2UpgradePolicy : policy) === 'UPGRADE'
  const http2 = isHttp2(protocol) || upgrade
  return {
    case: 'explicitHttpConfig',
    value: create(HttpProtocolOptions_ExplicitHttpConfigSchema, {
      protocolConfig: http2
        ? { case: 'http2ProtocolOptions', value: http2Options(pool) }
        : { case: 'httpProtocolOptions', value: create(Http1ProtocolOptionsSchema) },
    }),
  }
}

function sameAsClient(pool: ConnectionPoolSettings | undefined): ProtocolOptions {
  return {
    case: 'useDownstreamProtocolConfig',
    value: create(HttpProtocolOptions_UseDownstreamHttpConfigSchema, {
      httpProtocolOptions: create(Http1ProtocolOptionsSchema),
      http2ProtocolOptions: http2Options(pool),
    }),
  }
}

function http2Options(pool: ConnectionPoolSettings | undefined) {
  const streams = pool?.http?.maxConcurrentStreams ?? 0
  return create(Http2ProtocolOptionsSchema, streams > 0 ? { maxConcurrentStreams: streams } : {})
}
