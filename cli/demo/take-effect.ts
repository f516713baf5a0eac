import { systemClock } from '../../lib/clock.ts'
import { CliError, EXIT } from '../exit.ts'
import type { Endpoint } from './addresses.ts'
import { fetchText, waitUntil } from './http.ts'

const WITHIN_MS = 10_000

interface TypeSync {
  status: string
  ageMs: number
}

interface ProxySync {
  proxy: string
  types: Record<string, TypeSync>
}

/**
 * Waits until the pilot's /debug/syncz says that a proxy, by its `name.namespace`, has accepted everything, some of it
 * after this moment. Resolves to the milliseconds since then.
 */
export async function takeEffect(pilot: Endpoint, proxy: string, changedMs: number): Promise<number> {
  const isInForce = async () => {
    // Read before the pilot says how long ago things were, so that no earlier acceptance is taken for a later one.
    const sinceMs = systemClock.nowMs() - changedMs
    const { body } = await fetchText(pilot, '/debug/syncz')
    return hasAcceptedSince(JSON.parse(body) as ProxySync[], proxy, sinceMs)
  }
  if (!(await waitUntil(isInForce, changedMs + WITHIN_MS)))
    throw new CliError(`${proxy} did not take the change within ${WITHIN_MS} ms`, EXIT.internal)
  return systemClock.nowMs() - changedMs
}

export function hasAcceptedSince(proxies: readonly ProxySync[], proxy: string, sinceMs: number): boolean {
  const types = Object.values(proxies.find((entry) => entry.proxy === proxy)?.types ?? {})
  return types.every((type) => type.status === 'SYNCED') && types.some((type) => type.ageMs < sinceMs)
}
