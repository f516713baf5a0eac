import { type Static, Type } from '@sinclair/typebox'
import {
  deprecated,
  duration,
  durationOrZero,
  int32,
  mapOf,
  message,
  oneOf,
  stringMap,
  strings,
  uint32,
  unsupported,
} from '../schema.ts'
import { exportTo, MatchLabelsSelector, PortSelector } from './common.ts'
import { body } from './object.ts'

export { MatchLabelsSelector, PortSelector } from './common.ts'

const NO_ZONES = 'zone-aware balancing is not honoured yet: use localityLbSetting'

export const ClientTLSSettings = message({
  mode: Type.Optional(oneOf(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'])),
  clientCertificate: Type.Optional(Type.String()),
  privateKey: Type.Optional(Type.String()),
  caCertificates: Type.Optional(Type.String()),
  caCrl: Type.Optional(Type.String()),
  credentialName: Type.Optional(
    Type.String({
      description: "A Secret of the proxy's namespace: of gateways, and of sidecars that the rule selects.",
    }),
  ),
  subjectAltNames: Type.Optional(strings()),
  sni: Type.Optional(Type.String()),
  insecureSkipVerify: Type.Optional(Type.Boolean()),
})
export type ClientTLSSettings = Static<typeof ClientTLSSettings>

export const ConsistentHashLB = message({
  httpHeaderName: Type.Optional(Type.String()),
  httpCookie: Type.Optional(
    message({
      name: Type.String(),
      path: Type.Optional(Type.String()),
      ttl: Type.Optional(durationOrZero()),
      attributes: Type.Optional(
        Type.Array(message({ name: Type.Optional(Type.String()), value: Type.Optional(Type.String()) })),
      ),
    }),
  ),
  useSourceIp: Type.Optional(Type.Boolean()),
  httpQueryParameterName: Type.Optional(Type.String()),
  ringHash: Type.Optional(message({ minimumRingSize: Type.Optional(Type.Integer({ minimum: 0 })) })),
  maglev: Type.Optional(message({ tableSize: Type.Optional(Type.Integer({ minimum: 0 })) })),
  minimumRingSize: Type.Optional(deprecated(Type.Integer({ minimum: 0 }), 'use ringHash.minimumRingSize')),
})
export type ConsistentHashLB = Static<typeof ConsistentHashLB>

export const LocalityLoadBalancerSetting = message({
  distribute: Type.Optional(
    Type.Array(
      message({
        from: Type.Optional(Type.String()),
        to: Type.Optional(mapOf(uint32('Per cent.'))),
      }),
    ),
  ),
  failover: Type.Optional(
    Type.Array(message({ from: Type.Optional(Type.String()), to: Type.Optional(Type.String()) })),
  ),
  failoverPriority: Type.Optional(strings()),
  enabled: Type.Optional(Type.Boolean()),
})
export type LocalityLoadBalancerSetting = Static<typeof LocalityLoadBalancerSetting>

export const ZoneAwareLoadBalancerSetting = message({
  enabled: Type.Optional(Type.Boolean()),
  failover: Type.Optional(
    Type.Array(message({ from: Type.Optional(Type.String()), to: Type.Optional(Type.String()) })),
  ),
  failoverPriority: Type.Optional(strings()),
  minClusterSize: Type.Optional(uint32()),
})

export const WarmupConfiguration = message({
  duration: duration(),
  minimumPercent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  aggression: Type.Optional(Type.Number({ minimum: 1 })),
})

export const LoadBalancerSettings = message({
  simple: Type.Optional(
    oneOf(['UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST'], {
      description: 'Default: LEAST_REQUEST, of which LEAST_CONN is the old name.',
    }),
  ),
  consistentHash: Type.Optional(ConsistentHashLB),
  localityLbSetting: Type.Optional(LocalityLoadBalancerSetting),
  zoneAwareLbSetting: Type.Optional(unsupported(ZoneAwareLoadBalancerSetting, NO_ZONES)),
  warmup: Type.Optional(WarmupConfiguration),
  warmupDurationSecs: Type.Optional(deprecated(duration(), 'use warmup.duration')),
})
export type LoadBalancerSettings = Static<typeof LoadBalancerSettings>

export const TcpKeepalive = message({
  probes: Type.Optional(uint32()),
  time: Type.Optional(duration()),
  interval: Type.Optional(duration()),
})
export type TcpKeepalive = Static<typeof TcpKeepalive>

export const TCPSettings = message({
  maxConnections: Type.Optional(int32('Of each proxy to the whole cluster. 0 means no limit.')),
  connectTimeout: Type.Optional(duration()),
  tcpKeepalive: Type.Optional(TcpKeepalive),
  maxConnectionDuration: Type.Optional(duration()),
  idleTimeout: Type.Optional(durationOrZero()),
})
export type TCPSettings = Static<typeof TCPSettings>

export const HTTPSettings = message({
  http1MaxPendingRequests: Type.Optional(int32()),
  http2MaxRequests: Type.Optional(int32('For HTTP/1.1 too: requests in flight.')),
  maxRequestsPerConnection: Type.Optional(int32('1 switches keep-alive off.')),
  maxRetries: Type.Optional(int32()),
  idleTimeout: Type.Optional(durationOrZero()),
  h2UpgradePolicy: Type.Optional(oneOf(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE'])),
  useClientProtocol: Type.Optional(Type.Boolean()),
  maxConcurrentStreams: Type.Optional(int32()),
  http2KeepAlive: Type.Optional(
    unsupported(
      message({ interval: Type.Optional(duration()), timeout: Type.Optional(duration()) }),
      'HTTP/2 keep-alive is not honoured yet',
    ),
  ),
})
export type HTTPSettings = Static<typeof HTTPSettings>

export const ConnectionPoolSettings = message({
  tcp: Type.Optional(TCPSettings),
  http: Type.Optional(HTTPSettings),
})
export type ConnectionPoolSettings = Static<typeof ConnectionPoolSettings>

export const OutlierDetection = message({
  consecutive5xxErrors: Type.Optional(uint32('Default 5; 0 switches it off.')),
  consecutiveGatewayErrors: Type.Optional(uint32('502, 503 and 504. Off by default.')),
  consecutiveErrors: Type.Optional(
    unsupported(deprecated(int32(), 'use consecutive5xxErrors'), 'use consecutive5xxErrors'),
  ),
  splitExternalLocalOriginErrors: Type.Optional(Type.Boolean()),
  consecutiveLocalOriginFailures: Type.Optional(uint32('Default 5; only with splitExternalLocalOriginErrors.')),
  interval: Type.Optional(duration('Default 10s.')),
  baseEjectionTime: Type.Optional(duration('Default 30s.')),
  maxEjectionPercent: Type.Optional(Type.Integer({ minimum: 0, maximum: 100, description: 'Default 10.' })),
  minHealthPercent: Type.Optional(Type.Integer({ minimum: 0, maximum: 100, description: 'Default 0.' })),
  outlierDetectionHttpErrorCodes: Type.Optional(
    unsupported(Type.Array(Type.Integer({ minimum: 100, maximum: 599 })), 'further status codes are not honoured yet'),
  ),
})
export type OutlierDetection = Static<typeof OutlierDetection>

export const PortTrafficPolicy = message({
  port: Type.Optional(PortSelector),
  loadBalancer: Type.Optional(LoadBalancerSettings),
  connectionPool: Type.Optional(ConnectionPoolSettings),
  outlierDetection: Type.Optional(OutlierDetection),
  tls: Type.Optional(ClientTLSSettings),
})
export type PortTrafficPolicy = Static<typeof PortTrafficPolicy>

export const RetryBudget = message({
  percent: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 100,
      description: 'Of requests in flight, and of those that succeed. Default 20.',
    }),
  ),
  minRetryConcurrency: Type.Optional(uint32('Default 3.')),
  budgetInterval: Type.Optional(unsupported(durationOrZero(), 'successes of the last five seconds count')),
})
export type RetryBudget = Static<typeof RetryBudget>

export const TrafficPolicy = message({
  loadBalancer: Type.Optional(LoadBalancerSettings),
  connectionPool: Type.Optional(ConnectionPoolSettings),
  outlierDetection: Type.Optional(OutlierDetection),
  tls: Type.Optional(ClientTLSSettings),
  portLevelSettings: Type.Optional(Type.Array(PortTrafficPolicy, { maxItems: 4096 })),
  tunnel: Type.Optional(
    unsupported(
      message({
        protocol: Type.Optional(Type.String()),
        targetHost: Type.Optional(Type.String()),
        targetPort: Type.Optional(uint32()),
      }),
      'tunnels are not honoured yet',
    ),
  ),
  proxyProtocol: Type.Optional(
    unsupported(message({ version: Type.Optional(oneOf(['V1', 'V2'])) }), 'the PROXY protocol is not honoured yet'),
  ),
  retryBudget: Type.Optional(RetryBudget),
})
export type TrafficPolicy = Static<typeof TrafficPolicy>

export const Subset = message({
  name: Type.String(),
  labels: Type.Optional(stringMap()),
  trafficPolicy: Type.Optional(TrafficPolicy),
})
export type Subset = Static<typeof Subset>

export const DestinationRuleSpec = message(
  {
    host: Type.String(),
    trafficPolicy: Type.Optional(TrafficPolicy),
    subsets: Type.Optional(Type.Array(Subset)),
    exportTo: Type.Optional(exportTo()),
    workloadSelector: Type.Optional(MatchLabelsSelector),
  },
  'What happens to calls to a host once they are routed.',
)
export type DestinationRuleSpec = Static<typeof DestinationRuleSpec>

export const DestinationRuleBody = body(DestinationRuleSpec)
export type DestinationRuleBody = Static<typeof DestinationRuleBody>
