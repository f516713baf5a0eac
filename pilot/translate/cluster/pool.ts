import { create } from '@bufbuild/protobuf'
import { UpstreamConnectionOptionsSchema } from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { TcpKeepaliveSchema } from '../../../api/gen/envoy/config/core/v3/address_pb.js'
import { parseDurationMs } from '../../../crds/duration.ts'
import type {
  ClientTLSSettings,
  ConnectionPoolSettings,
  RetryBudget,
  TcpKeepalive,
} from '../../../crds/kinds/destination-rule.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import type { Protocol } from '../../registry/protocol.ts'
import { duration, durationOf } from '../messages.ts'
import { circuitBreakers } from './circuit-breakers.ts'
import { httpOptions } from './http-options.ts'

/** The parts of a cluster that its connection pool settings, and the names that TLS takes from requests, decide. */
export function poolFields(
  pool: ConnectionPoolSettings | undefined,
  protocol: Protocol,
  tls: ClientTLSSettings | undefined,
  options: MeshOptions,
  budget?: RetryBudget,
) {
  return {
    connectTimeout: durationOf(pool?.tcp?.connectTimeout) ?? duration(options.connectTimeoutMs),
    circuitBreakers: circuitBreakers(pool, budget),
    typedExtensionProtocolOptions: httpOptions(protocol, pool, tls, options),
    ...(pool?.tcp?.tcpKeepalive && { upstreamConnectionOptions: keepalive(pool.tcp.tcpKeepalive) }),
  }
}

function keepalive({ probes, time, interval }: TcpKeepalive) {
  const timeMs = time === undefined ? undefined : parseDurationMs(time)
  const intervalMs = interval === undefined ? undefined : parseDurationMs(interval)
  return create(UpstreamConnectionOptionsSchema, {
    tcpKeepalive: create(TcpKeepaliveSchema, {
      ...(probes !== undefined && probes > 0 && { keepaliveProbes: probes }),
      ...(timeMs !== undefined && { keepaliveTime: Math.floor(timeMs / 1000) }),
      ...(intervalMs !== undefined && { keepaliveInterval: Math.floor(intervalMs / 1000) }),
    }),
  })
}
