import { findPeer } from '../../../test/peers/peers.ts'
import { SECONDS } from '../settings.ts'
import type { Workplace } from '../workplace.ts'

/** What a load tool saw in its time. */
export interface Load {
  readonly requests: number
  readonly requestsPerSecond: number
}

export interface WrkOptions {
  readonly connections: number
  readonly scheme?: 'http' | 'https'
  /** As `name: value`. */
  readonly headers?: readonly string[]
  readonly seconds?: number
}

/** One thread of wrk. Throws when a request failed. */
export async function wrk(work: Workplace, port: number, options: WrkOptions): Promise<Load> {
  const { connections, scheme = 'http', headers = [], seconds = SECONDS } = options
  const tool = findPeer('wrk')
  if (tool === undefined) throw new Error('wrk is needed; run: npm run peers')
  const url = `${scheme}://127.0.0.1:${port}/`
  const fields = headers.flatMap((header) => ['-H', header])
  return readWrk(await work.load(tool, ['-t1', `-c${connections}`, `-d${seconds}s`, ...fields, url]))
}

/** Throws when a request failed, or none was answered. */
export function readWrk(output: string): Load {
  const failure = /Non-2xx or 3xx responses: .*|Socket errors: .*/.exec(output)
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0)
  if (failure !== null || requests === 0) throw new Error(`wrk: ${failure?.[0] ?? `no request: ${output}`}`)
  return { requests, requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? Number.NaN) }
}
