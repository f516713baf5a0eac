/** Frames of a kind that cost us and bring nothing; each connection may send so many at once, and so many a second. */
interface Allowance {
  readonly burst: number
  readonly perSecond: number
}

/*
 * A peer that means well stays far below these; what is over them is one of the floods of CVE-2019-9511 to 9518 or the
 * rapid reset of CVE-2023-44487. nghttp2 and Envoy bound the same kinds.
 */
const ALLOWANCES = {
  /** Requests that the client takes back before they are answered. */
  reset: { burst: 1000, perSecond: 33 },
  /** PING and SETTINGS, each of which is to be answered. */
  answered: { burst: 500, perSecond: 50 },
  /** Empty DATA that ends nothing, PRIORITY, unknown frames. */
  idle: { burst: 500, perSecond: 100 },
  /** Errors of single streams that we answer with RST_STREAM. */
  streamError: { burst: 200, perSecond: 20 },
} as const satisfies Record<string, Allowance>

export type FloodKind = keyof typeof ALLOWANCES
const KINDS = Object.keys(ALLOWANCES) as FloodKind[]

/** WINDOW_UPDATE frames that are allowed beyond what was sent: a peer gives credit for what it was given. */
const WINDOW_UPDATES_BASE = 1000
const WINDOW_UPDATES_PER_SENT = 10

/** Counts what a peer sends without need. */
export class FloodGuard {
  readonly #left: Record<FloodKind, number>
  readonly #sinceMs: Record<FloodKind, number>
  #windowUpdates = 0
  /** DATA frames sent and streams opened. */
  sent = 0

  constructor(nowMs: number) {
    this.#left = {} as Record<FloodKind, number>
    this.#sinceMs = {} as Record<FloodKind, number>
    for (const kind of KINDS) {
      this.#left[kind] = ALLOWANCES[kind].burst
      this.#sinceMs[kind] = nowMs
    }
  }

  /** Counts one; false when the peer has sent too many. */
  allows(kind: FloodKind, nowMs: number): boolean {
    if (this.#left[kind] < 1) {
      const { burst, perSecond } = ALLOWANCES[kind]
      this.#left[kind] = Math.min(burst, ((nowMs - this.#sinceMs[kind]) * perSecond) / 1000)
      this.#sinceMs[kind] = nowMs
      if (this.#left[kind] < 1) return false
    }
    this.#left[kind]--
    return true
  }

  allowsWindowUpdate(): boolean {
    return ++this.#windowUpdates <= WINDOW_UPDATES_BASE + WINDOW_UPDATES_PER_SENT * this.sent
  }
}
