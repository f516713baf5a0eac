import { errorText } from '../lib/errors.ts'
import { CliError, EXIT } from './exit.ts'

const TIMEOUT_MS = 10_000

/** GETs JSON from a pilot's or proxy's own HTTP server. `address` is `host:port`. */
export async function fetchJson(address: string, path: string): Promise<unknown> {
  const url = `http://${address}${path}`
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    if (!response.ok) throw new CliError(`${url}: status ${response.status}`, EXIT.internal)
    return await response.json()
  } catch (thrown) {
    if (thrown instanceof CliError) throw thrown
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? `: ${thrown.cause.message}` : ''
    throw new CliError(`cannot reach ${url}: ${errorText(thrown)}${cause}`, EXIT.internal)
  }
}
