import { request } from 'node:http'
import { env } from '../../../lib/env.ts'

/** Where the workload's own metrics are. */
export interface ApplicationScrape {
  readonly path: string
  readonly port: number
}

const DEFAULT_PATH = '/metrics'
const DEFAULT_PORT = 80
/** Prometheus gives up after ten. */
const TIMEOUT_MS = 5_000
const MAX_BYTES = 16 * 1024 * 1024

/** What the workload's annotations said before an injector made them ours; undefined where it is not scraped. */
export function applicationScrape(text = env('ISTIO_PROMETHEUS_ANNOTATIONS')): ApplicationScrape | undefined {
  if (text === '') return undefined
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof said !== 'object' || said === null) return undefined
  const { scrape, path, port } = said as { scrape?: unknown; path?: unknown; port?: unknown }
  if (scrape !== true && scrape !== 'true') return undefined
  const number = port === undefined || port === '' ? DEFAULT_PORT : Number(port)
  if (!Number.isInteger(number) || number < 1 || number > 65535) return undefined
  const place = typeof path === 'string' && path !== '' ? path : DEFAULT_PATH
  return { path: place.startsWith('/') ? place : `/${place}`, port: number }
}

/** The workload's metrics as the text of Prometheus. Rejects where it does not answer in time, or with something else. */
export function scrapeApplication({ path, port }: ApplicationScrape): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'text/plain;version=0.0.4;q=1,*/*;q=0.1' }
    const asked = request({ host: '127.0.0.1', port, path, headers, timeout: TIMEOUT_MS }, (response) => {
      const parts: Buffer[] = []
      let length = 0
      if (response.statusCode !== 200) asked.destroy(new Error(`status ${response.statusCode}`))
      response.on('data', (part: Buffer) => {
        length += part.length
        if (length > MAX_BYTES) asked.destroy(new Error(`more than ${MAX_BYTES} bytes`))
        else parts.push(part)
      })
      response.on('end', () => resolve(asPlain(Buffer.concat(parts).toString())))
      response.on('error', reject)
    })
    const deadline = setTimeout(() => asked.destroy(new Error('no answer in time')), TIMEOUT_MS)
    asked.on('close', () => clearTimeout(deadline))
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')))
    asked.on('error', reject)
    asked.end()
  })
}

/** OpenMetrics ends with a mark that must not stand in the middle of what follows; the last line must end. */
export function asPlain(text: string): string {
  const body = text.replace(/^# EOF\s*$/m, '').trimEnd()
  return body === '' ? '' : `${body}\n`
}
