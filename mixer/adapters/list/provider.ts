import type { Timer } from '../../../lib/clock.ts'
import { errorText } from '../../../lib/errors.ts'
import type { HandlerEnvironment } from '../adapter.ts'
import { type Entries, type EntryType, readEntries } from './entries.ts'

const MAX_LIST_BYTES = 16 * 1024 * 1024
const FETCH_TIMEOUT_MS = 10_000

export interface ProviderOptions {
  readonly url: string
  readonly type: EntryType
  /** Entries that are on the list whatever the provider says. */
  readonly overrides: readonly string[]
  readonly refreshMs: number
  /** So long a list counts that could not be fetched anew. */
  readonly ttlMs: number
}

/** Fetches a list again and again. When that fails the last good one counts, until it is too old. */
export class ListProvider {
  readonly #options: ProviderOptions
  readonly #environment: HandlerEnvironment
  #entries: Entries | undefined
  #fetchedMs = 0
  #problem = 'not fetched yet'
  #timer: Timer | undefined
  #closed = false
  /** For tests: resolved when the fetch that is under way has ended. */
  settled: Promise<void>

  constructor(options: ProviderOptions, environment: HandlerEnvironment) {
    this.#options = options
    this.#environment = environment
    this.settled = this.#refresh()
  }

  /** Throws when no list is known, or the one that is known is too old. */
  current(): Entries {
    const ageMs = this.#environment.clock.nowMs() - this.#fetchedMs
    if (this.#entries === undefined || ageMs > this.#options.ttlMs) throw new Error(`no list: ${this.#problem}`)
    return this.#entries
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  async #refresh(): Promise<void> {
    const { url, type, overrides, refreshMs } = this.#options
    const { clock, log, key, metrics } = this.#environment
    try {
      const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
      const text = await readBounded(response)
      if (!response.ok) throw new Error(`${url} answers ${response.status}`)
      this.#entries = readEntries(type, [...linesOf(text), ...overrides])
      this.#fetchedMs = clock.nowMs()
      this.#problem = 'too old'
    } catch (thrown) {
      const problem =
        thrown instanceof Error && thrown.cause !== undefined ? errorText(thrown.cause) : errorText(thrown)
      if (problem !== this.#problem)
        log.warning('a list is not fetched; the last good one counts', { handler: key, problem })
      this.#problem = problem
      metrics.counter('list_fetch_errors_total').inc()
    }
    if (!this.#closed) {
      this.#timer = clock.setTimer(refreshMs, () => {
        this.settled = this.#refresh()
      })
    }
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_LIST_BYTES) throw new Error(`more than ${MAX_LIST_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** An entry a line; what begins with # says nothing. Or a list in JSON. */
function linesOf(text: string): string[] {
  if (text.trimStart().startsWith('[')) {
    const list: unknown = JSON.parse(text)
    if (!Array.isArray(list)) throw new Error('no list')
    return list.map(String)
  }
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}
