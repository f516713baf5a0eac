import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Cluster } from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import type {
  Http2ProtocolOptions,
  UpstreamHttpProtocolOptions,
} from '../../../api/gen/envoy/config/core/v3/protocol_pb.js'
import {
  type HttpProtocolOptions,
  HttpProtocolOptionsSchema,
} from '../../../api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import type { ClusterPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { durationMs } from './common.ts'
import type { HttpTlsOptions } from './transport-socket.ts'

const EXTENSION = HttpProtocolOptionsSchema.typeName
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000
/** Envoy's bound of exchanges on one upstream connection, whatever the peer allows. */
const DEFAULT_MAX_CONCURRENT_STREAMS = 1024

type HttpOptions = Pick<ClusterPlan, 'idleTimeoutMs' | 'maxRequestsPerConnection' | 'protocol' | 'maxConcurrentStreams'>

/**
 * How a cluster speaks HTTP: envoy.extensions.upstreams.http.v3.HttpProtocolOptions, or the cluster's older fields; `tls` is
 * what of it concerns the transport below.
 */
export function compileHttpOptions(cluster: Cluster): { plan: HttpOptions; tls: HttpTlsOptions } {
  const any = cluster.typedExtensionProtocolOptions[EXTENSION]
  if (any === undefined) {
    return {
      plan: {
        idleTimeoutMs: durationMs(cluster.commonHttpProtocolOptions?.idleTimeout, DEFAULT_IDLE_TIMEOUT_MS),
        maxRequestsPerConnection: cluster.maxRequestsPerConnection ?? 0,
        protocol: cluster.http2ProtocolOptions === undefined ? 'http1' : 'http2',
        maxConcurrentStreams: streamsOf(cluster.http2ProtocolOptions),
      },
      tls: tlsOptions(cluster.upstreamHttpProtocolOptions),
    }
  }
  const at = `typed_extension_protocol_options[${EXTENSION}]`
  const options = anyUnpack(any, HttpProtocolOptionsSchema)
  if (options === undefined) return refuse(at, `type ${any.typeUrl} was not expected`)
  const common = options.commonHttpProtocolOptions
  return {
    plan: {
      idleTimeoutMs: durationMs(common?.idleTimeout, DEFAULT_IDLE_TIMEOUT_MS),
      maxRequestsPerConnection: common?.maxRequestsPerConnection || cluster.maxRequestsPerConnection || 0,
      ...protocolOf(options, at),
    },
    tls: tlsOptions(options.upstreamHttpProtocolOptions),
  }
}

function tlsOptions(options: UpstreamHttpProtocolOptions | undefined): HttpTlsOptions {
  return { autoSni: options?.autoSni ?? false, autoSanValidation: options?.autoSanValidation ?? false }
}

function protocolOf(
  { upstreamProtocolOptions: options }: HttpProtocolOptions,
  at: string,
): Pick<ClusterPlan, 'protocol' | 'maxConcurrentStreams'> {
  switch (options.case) {
    case 'explicitHttpConfig': {
      const explicit = options.value.protocolConfig
      if (explicit.case === 'http3ProtocolOptions') {
        return refuse(`${at}.explicit_http_config.http3_protocol_options`, 'HTTP/3 is not supported')
      }
      if (explicit.case !== 'http2ProtocolOptions') return { protocol: 'http1', maxConcurrentStreams: 1 }
      return { protocol: 'http2', maxConcurrentStreams: streamsOf(explicit.value) }
    }
    case 'useDownstreamProtocolConfig':
      return { protocol: 'downstream', maxConcurrentStreams: streamsOf(options.value.http2ProtocolOptions) }
    case 'autoConfig':
      return { protocol: 'auto', maxConcurrentStreams: streamsOf(options.value.http2ProtocolOptions) }
    default:
      return { protocol: 'http1', maxConcurrentStreams: 1 }
  }
}

function streamsOf(options: Http2ProtocolOptions | undefined): number {
  return options?.maxConcurrentStreams ?? DEFAULT_MAX_CONCURRENT_STREAMS
}
