import { create } from '@bufbuild/protobuf'
import {
  type CircuitBreakers,
  CircuitBreakers_ThresholdsSchema,
  CircuitBreakersSchema,
} from '../../../api/gen/envoy/config/cluster/v3/circuit_breaker_pb.js'
import type { ConnectionPoolSettings } from '../../../crds/kinds/destination-rule.ts'
import { UINT32_MAX } from '../../../crds/schema.ts'

/** Without settings nothing is limited. 0 means "no limit" too; there is no way to say "none". */
export function circuitBreakers(pool: ConnectionPoolSettings | undefined): CircuitBreakers {
  const thresholds = create(CircuitBreakers_ThresholdsSchema, {
    maxConnections: limit(pool?.tcp?.maxConnections),
    maxPendingRequests: limit(pool?.http?.http1MaxPendingRequests),
    maxRequests: limit(pool?.http?.http2MaxRequests),
    maxRetries: limit(pool?.http?.maxRetries),
    trackRemaining: true,
  })
  return create(CircuitBreakersSchema, { thresholds: [thresholds] })
}

function limit(value: number | undefined): number {
  return value === undefined || value === 0 ? UINT32_MAX : value
}
