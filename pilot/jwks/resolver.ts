import type { JWTRule } from '../../crds/kinds/request-authentication.ts'
import { Backoff } from '../../lib/backoff.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import { errorText, MeshError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import type { Random } from '../../lib/random.ts'
import { type FetchOptions, fetchText } from './fetch.ts'
import { type KeySource, keySourceOf, sourceName } from './key-source.ts'
import { inlineKeys, type KeyProvider, type Keys, type KeyTable, unusableKeys } from './key-table.ts'

export interface JwksResolverOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: MetricStore
  /** PEM of certificates that are believed beside those of node. */
  readonly ca?: readonly string[] | undefined
  readonly fetch?: (url: string, options: FetchOptions) => Promise<string>
}

/** Istio's interval (PILOT_JWT_PUB_KEY_REFRESH_INTERVAL). */
const REFRESH_MS = 20 * 60_000
const RETRY_BASE_MS = 1000
const RETRY_MAX_MS = 60_000
export const MAX_JWKS_BYTES = 256 * 1024
const MAX_KEYS = 100
const MAX_SOURCES = 1024

type FetchedSource = Exclude<KeySource, { kind: 'inline' }>

/** What is known of one source, for people. */
export interface JwksStatus {
  readonly source: string
  readonly state: 'fetching' | 'good' | 'stale' | 'failing'
  readonly keys: number
  readonly lastError: string | null
}

/**
 * Fetches the keys of issuers for the whole mesh, as istiod does, so that proxies get them with their configuration. They are
 * fetched anew every 20 minutes, and in shorter, growing intervals after a failure. What was fetched last stays in use; as
 * long as nothing was, keys stand in its place by which every token fails.
 */
export class JwksResolver implements KeyProvider {
  readonly #options: JwksResolverOptions
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Set<() => void>()
  #isClosed = false

  constructor(options: JwksResolverOptions) {
    this.#options = options
  }

  snapshot(): KeyTable {
    const known = new Map<string, Keys | undefined>()
    for (const [name, { keys }] of this.#entries) known.set(name, keys)
    return {
      keysOf(rule) {
        const source = keySourceOf(rule)
        return source.kind === 'inline' ? inlineKeys(source.text) : (known.get(sourceName(source)) ?? unusableKeys())
      },
    }
  }

  /** Begins to fetch for these rules what is not known yet, and forgets what none of them needs. */
  use(rules: readonly JWTRule[]): void {
    if (this.#isClosed) return
    const wanted = new Map<string, FetchedSource>()
    for (const rule of rules) {
      const source = keySourceOf(rule)
      if (source.kind !== 'inline' && wanted.size < MAX_SOURCES) wanted.set(sourceName(source), source)
    }
    for (const [name, entry] of this.#entries) {
      if (wanted.has(name)) continue
      entry.stop()
      this.#entries.delete(name)
    }
    for (const [name, source] of wanted) {
      const known = this.#entries.get(name)
      if (known === undefined) this.#entries.set(name, new Entry(name, source, this.#options, () => this.#onChange()))
      else known.source = source
    }
    this.#count()
  }

  /** Whether some source has never been heard of, for better or worse. */
  get isWaiting(): boolean {
    return [...this.#entries.values()].some((entry) => entry.isFirst)
  }

  /** Resolves when every source has answered or failed once. */
  settled(): Promise<void> {
    if (!this.isWaiting) return Promise.resolve()
    return new Promise((resolve) => {
      const stop = this.onChange(() => {
        if (this.isWaiting) return
        stop()
        resolve()
      })
    })
  }

  /** Told when keys have changed, and when a source has answered for the first time. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  status(): JwksStatus[] {
    return [...this.#entries.values()].map((entry) => entry.status())
  }

  close(): void {
    this.#isClosed = true
    for (const entry of this.#entries.values()) entry.stop()
  }

  #onChange(): void {
    this.#count()
    for (const listener of [...this.#listeners]) listener()
  }

  #count(): void {
    const all = this.status()
    const { metrics } = this.#options
    metrics.gauge('pilot_jwks_sources').set(all.length)
    metrics.gauge('pilot_jwks_failing').set(all.filter(({ state }) => state === 'failing').length)
    metrics.gauge('pilot_jwks_stale').set(all.filter(({ state }) => state === 'stale').length)
  }
}

/** One source as it is fetched, again and again. */
class Entry {
  source: FetchedSource
  keys: Keys | undefined
  isFirst = true
  readonly #name: string
  readonly #options: JwksResolverOptions
  readonly #onChange: () => void
  readonly #backoff: Backoff
  #keyCount = 0
  #lastError: string | null = null
  #timer: Timer | undefined
  #isStopped = false

  constructor(name: string, source: FetchedSource, options: JwksResolverOptions, onChange: () => void) {
    this.#name = name
    this.source = source
    this.#options = options
    this.#onChange = onChange
    this.#backoff = new Backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random: options.random })
    void this.#fetch()
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  status(): JwksStatus {
    const good = this.#lastError === null ? 'good' : 'stale'
    const state = this.isFirst ? 'fetching' : this.keys === undefined ? 'failing' : good
    return { source: this.#name, state, keys: this.#keyCount, lastError: this.#lastError }
  }

  async #fetch(): Promise<void> {
    const { metrics, log } = this.#options
    let nextMs = REFRESH_MS
    let changed = this.isFirst
    try {
      const { text, count } = await this.#fetchKeys()
      if (this.#isStopped) return
      changed ||= text !== this.keys?.text || this.#lastError !== null
      if (text !== this.keys?.text) this.keys = { text }
      this.#keyCount = count
      this.#lastError = null
      this.#backoff.reset()
      metrics.counter('pilot_jwks_fetch_total', { result: 'success' }).inc()
    } catch (thrown) {
      if (this.#isStopped) return
      this.#lastError = errorText(thrown)
      changed = true
      nextMs = RETRY_BASE_MS + this.#backoff.nextDelayMs()
      metrics.counter('pilot_jwks_fetch_total', { result: 'failure' }).inc()
      const meanwhile = this.keys === undefined ? 'every token of this issuer is refused' : 'the keys of before stay'
      log.error('keys cannot be fetched', { source: this.#name, error: this.#lastError, meanwhile })
    }
    this.isFirst = false
    this.#timer = this.#options.clock.setTimer(nextMs, () => void this.#fetch())
    if (changed) this.#onChange()
  }

  async #fetchKeys(): Promise<{ text: string; count: number }> {
    const { source } = this
    const url = source.kind === 'uri' ? source.url : await this.#discover(source.issuer)
    const set = parseObject(url, await this.#get(url)) as { keys?: unknown }
    const keys = set.keys
    if (!Array.isArray(keys) || keys.length === 0) throw wrong(url, 'it is no JSON Web Key Set with keys')
    if (keys.length > MAX_KEYS) throw wrong(url, `it has ${keys.length} keys, at most ${MAX_KEYS} are taken`)
    return { text: JSON.stringify({ keys }), count: keys.length }
  }

  async #discover(issuer: string): Promise<string> {
    const url = `${issuer.endsWith('/') ? issuer.slice(0, -1) : issuer}/.well-known/openid-configuration`
    const { jwks_uri: found } = parseObject(url, await this.#get(url)) as { jwks_uri?: unknown }
    if (typeof found !== 'string' || !URL.canParse(found)) throw wrong(url, 'it names no jwks_uri')
    return found
  }

  #get(url: string): Promise<string> {
    const { fetch = fetchText, clock, ca } = this.#options
    return fetch(url, { timeoutMs: this.source.timeoutMs, maxBytes: MAX_JWKS_BYTES, clock, ca })
  }
}

function parseObject(url: string, text: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong(url, 'it is no JSON')
  }
  if (typeof value !== 'object' || value === null) throw wrong(url, 'it is no JSON object')
  return value
}

function wrong(url: string, reason: string): MeshError {
  return new MeshError('FETCH_FAILED', `${url}: ${reason}`, { source: 'upstream' })
}
