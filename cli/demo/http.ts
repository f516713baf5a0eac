import { request } from 'node:http'
import { systemClock } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import { CliError, EXIT } from '../exit.ts'
import type { Endpoint } from './addresses.ts'
import { hostPort } from './layout.ts'

const TIMEOUT_MS = 2000
/** So much of an unexpected answer is shown. */
const MAX_SHOWN = 200

export interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

/** One request on a connection of its own. Rejects when nothing answers. */
export function fetchText(
  { host, port }: Endpoint,
  path: string,
  method = 'GET',
  form?: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { ...fields, ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }) }
    const outgoing = request({ host, port, path, method, headers, agent: false, timeout: TIMEOUT_MS })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      let body = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        body += chunk
      })
      incoming.on('error', reject)
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }))
    })
    outgoing.end(form)
  })
}

/** Asks again and again until the answer is 200. */
export async function waitForOk(name: string, endpoint: Endpoint, path: string, deadlineMs: number): Promise<void> {
  let last = ''
  const isOk = async () => {
    try {
      const { status, body } = await fetchText(endpoint, path)
      last = `status ${status}: ${body.trim().slice(0, MAX_SHOWN)}`
      return status === 200
    } catch (thrown) {
      last = errorText(thrown)
      return false
    }
  }
  if (await waitUntil(isOk, deadlineMs)) return
  throw new CliError(`${name} was not ready in time: http://${hostPort(endpoint)}${path} said ${last}`, EXIT.timeout)
}

const POLL_MS = 20

/** Whether it came true before the deadline, a time of the system clock. */
export async function waitUntil(isTrue: () => Promise<boolean> | boolean, deadlineMs: number): Promise<boolean> {
  for (;;) {
    if (await isTrue()) return true
    if (systemClock.nowMs() > deadlineMs) return false
    await pause(POLL_MS)
  }
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => systemClock.setTimer(delayMs, resolve))
}
