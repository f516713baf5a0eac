import { CHAIN_METRICS, chainText } from '../../telemetry/tracing/chain-watch.ts'
import type { Agent } from '../agent.ts'

/** What the chain watch found in the last whole minute, over all threads. */
export function tracingText({ planes }: Agent): string {
  const sum = (name: string) => {
    let total = 0
    for (const metric of planes.metrics.all()) if (metric.name === name) total += metric.value
    return total
  }
  return `${chainText(sum(CHAIN_METRICS.calls), sum(CHAIN_METRICS.begun), sum(CHAIN_METRICS.isBroken) > 0)}\n`
}
