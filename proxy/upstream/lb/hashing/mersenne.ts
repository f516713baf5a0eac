const SIZE = 624
const SHIFT = 397

/** The Mersenne twister of 32 bits (std::mt19937), for the one place where Envoy's own sequence is wanted. */
export class Mersenne {
  readonly #state = new Uint32Array(SIZE)
  #index = SIZE

  seed(seed: number): void {
    const state = this.#state
    state[0] = seed
    for (let i = 1; i < SIZE; i++) {
      const before = state[i - 1] as number
      state[i] = Math.imul(before ^ (before >>> 30), 1812433253) + i
    }
    this.#index = SIZE
  }

  /** A number of 32 bits. */
  next(): number {
    if (this.#index === SIZE) this.#twist()
    let y = this.#state[this.#index++] as number
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }

  /** An integer in [0, bound), drawn as Envoy does. */
  below(bound: number): number {
    const width = Math.floor(0x1_0000_0000 / bound)
    for (;;) {
      const drawn = Math.floor(this.next() / width)
      if (drawn < bound) return drawn
    }
  }

  #twist(): void {
    const state = this.#state
    for (let i = 0; i < SIZE; i++) {
      const y = ((state[i] as number) & 0x80000000) | ((state[(i + 1) % SIZE] as number) & 0x7fffffff)
      state[i] = (state[(i + SHIFT) % SIZE] as number) ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : 0x9908b0df)
    }
    this.#index = 0
  }
}
