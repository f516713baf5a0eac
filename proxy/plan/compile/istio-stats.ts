import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { HttpFilter } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { PluginConfigSchema } from '../../../api/gen/istio/stats/config_pb.js'
import { istioCallObserver } from '../../telemetry/istio/call-observer.ts'
import { type StatsPlan, statsPlan } from '../../telemetry/istio/config.ts'
import { istioConnectionObserver } from '../../telemetry/istio/connection-observer.ts'
import { PEER_METADATA_TYPE, STATS_TYPE } from '../../telemetry/istio/types.ts'
import type { CallObserverPlan, ConnectionObserverPlan } from '../../telemetry/observer.ts'
import type { TrafficDirectionPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'

export const ISTIO_STATS = STATS_TYPE

type Direction = TrafficDirectionPlan

/** Of a connection manager's filters those that only look on. */
export function compileCallStats(
  filters: readonly HttpFilter[],
  path: string,
  direction: Direction,
): CallObserverPlan[] {
  const stats: StatsPlan[] = []
  let exchanges = false
  filters.forEach(({ configType, disabled }, i) => {
    if (configType.case !== 'typedConfig' || disabled) return
    const type = configType.value.typeUrl
    if (type.endsWith(`/${STATS_TYPE}`)) stats.push(compileStats(configType.value, `${path}[${i}]`, direction))
    else if (type.endsWith(`/${PEER_METADATA_TYPE}`)) exchanges = true
  })
  if (stats.length === 0) return exchanges ? [istioCallObserver(direction, undefined, true)] : []
  // The first exchanges for all.
  return stats.map((plan, i) => istioCallObserver(direction, plan, exchanges && i === 0))
}

export function compileConnectionStats(
  configs: readonly Any[],
  path: string,
  direction: Direction,
): ConnectionObserverPlan[] {
  return configs.map((any) => istioConnectionObserver(compileStats(any, path, direction)))
}

function compileStats(any: Any, path: string, direction: Direction): StatsPlan {
  const config = anyUnpack(any, PluginConfigSchema)
  if (config === undefined) return refuse(path, `is not a ${STATS_TYPE}`)
  return statsPlan(config, direction, path)
}
