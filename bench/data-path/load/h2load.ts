import { findPeer } from '../../../test/peers/peers.ts'
import { SECONDS } from '../settings.ts'
import type { Workplace } from '../workplace.ts'
import type { Load } from './wrk.ts'

export interface H2loadOptions {
  readonly connections: number
  /** Under way on each connection. */
  readonly streams: number
  readonly path?: string
  /** As `name: value`. */
  readonly headers?: readonly string[]
  /** Sent as each request's body, which makes it a POST. */
  readonly bodyFile?: string
}

/** One thread of h2load, HTTP/2 with prior knowledge. Throws when a request failed. */
export async function h2load(work: Workplace, port: number, options: H2loadOptions): Promise<Load> {
  const tool = findPeer('h2load')
  if (tool === undefined) throw new Error('h2load is needed; run: npm run peers')
  const { connections, streams, path = '/', headers = [], bodyFile } = options
  const fields = headers.flatMap((header) => ['-H', header])
  const body = bodyFile === undefined ? [] : ['-d', bodyFile]
  const url = `http://127.0.0.1:${port}${path}`
  const load = ['-t1', `-c${connections}`, `-m${streams}`, `-D${SECONDS}`]
  return readH2load(await work.load(tool, [...load, ...fields, ...body, url]))
}

/** Throws when a request failed, or none was answered. */
export function readH2load(output: string): Load {
  const line = /^requests: .*$/m.exec(output)?.[0] ?? ''
  const count = (what: string) => Number(new RegExp(`(\\d+) ${what}`).exec(line)?.[1] ?? Number.NaN)
  const requests = count('succeeded')
  const bad = count('failed') + count('errored') + count('timeout')
  if (!(requests > 0) || bad !== 0) throw new Error(`h2load: ${line || output}`)
  return { requests, requestsPerSecond: Number(/, ([\d.]+) req\/s/.exec(output)?.[1] ?? Number.NaN) }
}
