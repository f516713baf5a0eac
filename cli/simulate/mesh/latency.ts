import type { Random } from '../../../lib/random.ts'

/** How long a piece of work takes, in milliseconds. */
export interface LatencyModel {
  sample(random: Random): number
}

/** Of the standard normal distribution, the 99th percentile. */
const Z99 = 2.3263478740408408

export function constantLatency(ms: number): LatencyModel {
  return { sample: () => ms }
}

export function uniformLatency(minMs: number, maxMs: number): LatencyModel {
  return { sample: (random) => minMs + (maxMs - minMs) * random.next() }
}

export function exponentialLatency(meanMs: number): LatencyModel {
  return { sample: (random) => exponential(random, meanMs) }
}

/** By its median and its 99th percentile. */
export function lognormalLatency(p50Ms: number, p99Ms: number): LatencyModel {
  const mu = Math.log(p50Ms)
  const sigma = (Math.log(p99Ms) - mu) / Z99
  return { sample: (random) => Math.exp(mu + sigma * normal(random)) }
}

export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random.next()) * mean
}

/** Box and Muller's method; the second number that it gives is not used, so that every sample draws alike. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
}
