import type { Adapter } from './adapter.ts'
import { denier } from './denier/denier.ts'
import { kubernetesenv } from './kubernetesenv/kubernetesenv.ts'
import { list } from './list/list.ts'
import { memquota } from './memquota/memquota.ts'
import { noop } from './noop/noop.ts'
import { opentelemetry } from './opentelemetry/opentelemetry.ts'
import { prometheus } from './prometheus/prometheus.ts'
import { redisquota } from './redisquota/redisquota.ts'
import { statsd } from './statsd/statsd.ts'
import { stdio } from './stdio/stdio.ts'
import { webhook } from './webhook/webhook.ts'
import { zipkin } from './zipkin/zipkin.ts'

/** Every adapter. A new one is added here and nowhere else. */
const ADAPTERS: readonly Adapter<never>[] = [
  denier,
  kubernetesenv,
  list,
  memquota,
  noop,
  opentelemetry,
  prometheus,
  redisquota,
  statsd,
  stdio,
  webhook,
  zipkin,
]

const byName = new Map<string, Adapter>()
for (const adapter of ADAPTERS as readonly Adapter[]) {
  for (const name of [adapter.name, ...(adapter.aliases ?? [])]) byName.set(name, adapter)
}

export function findAdapter(name: string): Adapter | undefined {
  return byName.get(name)
}

export const ADAPTER_NAMES: readonly string[] = [...byName.keys()]
