/** Values up to here are counted one by one (in microseconds). */
const LINEAR = 128
/** Parts of each doubling above. */
const PARTS = 64
const PART_BITS = 6
/** Up to 2^41 microseconds, some 25 days. */
const BUCKETS = LINEAR + PARTS * 34

/** Latencies as counts: quantiles are right to within a 64th of their value, whatever their number. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS)
  #total = 0
  #maxMs = 0

  get count(): number {
    return this.#total
  }

  get maxMs(): number {
    return this.#maxMs
  }

  add(ms: number): void {
    this.#counts[bucketOf(ms * 1000)]! += 1
    this.#total++
    if (ms > this.#maxMs) this.#maxMs = ms
  }

  addAll(other: LatencyHistogram): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i]! += other.#counts[i] as number
    this.#total += other.#total
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs)
  }

  /** The latency that this part of all stays at or under; 0 when there are none. */
  quantileMs(part: number): number {
    if (this.#total === 0) return 0
    const rank = Math.max(1, Math.ceil(part * this.#total - 1e-9))
    let seen = 0
    for (let i = 0; i < BUCKETS; i++) {
      seen += this.#counts[i] as number
      if (seen >= rank) return Math.min(upperBound(i) / 1000, this.#maxMs)
    }
    return this.#maxMs
  }
}

function bucketOf(micros: number): number {
  const value = Math.max(0, Math.round(micros))
  if (value < LINEAR) return value
  const exponent = Math.floor(Math.log2(value))
  const part = Math.floor(value / 2 ** (exponent - PART_BITS)) - PARTS
  return Math.min(BUCKETS - 1, LINEAR + (exponent - PART_BITS - 1) * PARTS + part)
}

/** The largest whole number of microseconds that is counted there. */
function upperBound(bucket: number): number {
  if (bucket < LINEAR) return bucket
  const doubling = Math.floor((bucket - LINEAR) / PARTS)
  const part = (bucket - LINEAR) % PARTS
  return (PARTS + part + 1) * 2 ** (doubling + 1) - 1
}
