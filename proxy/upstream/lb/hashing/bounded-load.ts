import type { Hash64 } from '../../../../lib/xxhash64.ts'
import type { Host } from '../../host.ts'
import { Mersenne } from './mersenne.ts'

/**
 * Consistent hashing with bounded loads (Mirrokni and others, arXiv 1608.01350) as Envoy has it: a host may have `factor` per
 * cent of its share of all requests under way. What does not fit there goes to another, in an order that is random but the
 * same for the same hash (arXiv 1908.08762), so that the overflow of one host does not all fall on its neighbour.
 */
export class BoundedLoad {
  readonly #factor: number
  readonly #random = new Mersenne()
  #order = new Uint32Array(0)

  constructor(factor: number) {
    this.#factor = factor
  }

  /** `found` is the index of the host that the hash belongs to. */
  bound(hosts: readonly Host[], shares: Float64Array, hash: Hash64, found: number): number {
    // Whoever has one request or none has room: there is room for one in any case.
    if ((hosts[found] as Host).activeRequests <= 1) return found
    let active = 0
    for (let i = 0; i < hosts.length; i++) active += (hosts[i] as Host).activeRequests
    const room = Math.floor(((active + 1) * this.#factor + 99) / 100)
    const loadOf = (i: number) =>
      (hosts[i] as Host).activeRequests / Math.max(1, Math.ceil(room * (shares[i] as number)))
    const load = loadOf(found)
    return load <= 1 ? found : this.#elsewhere(hosts.length, hash, found, load, loadOf)
  }

  #elsewhere(count: number, hash: Hash64, found: number, foundLoad: number, loadOf: (i: number) => number): number {
    if (this.#order.length < count) this.#order = new Uint32Array(count)
    const order = this.#order
    for (let i = 0; i < count; i++) order[i] = i
    this.#random.seed(hash.low)
    let best = found
    let least = foundLoad
    for (let i = 0; i < count; i++) {
      const j = i + this.#random.below(count - i)
      const other = order[j] as number
      order[j] = order[i] as number
      order[i] = other
      if (other === found) continue
      const load = loadOf(other)
      if (load <= 1) return other
      if (load < least) {
        least = load
        best = other
      }
    }
    return best
  }
}
