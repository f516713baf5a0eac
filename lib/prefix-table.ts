import { isIPv4 } from 'node:net'
import { parseIpv4, parseIpv6 } from './ip.ts'

interface Level<K, T> {
  readonly length: number
  readonly byPrefix: Map<K, T>
}

/**
 * Values by IP prefix; a look-up finds the one of the longest prefix that holds an address, in one map access for each
 * length in use. Families are apart: `0.0.0.0/0` holds no IPv6 address.
 */
export class PrefixTable<T> {
  readonly #v4: Level<number, T>[] = []
  readonly #v6: Level<string, T>[] = []

  /** The value kept for this very prefix, made by `create` if there is none. undefined when the address is no IP. */
  at(address: string, length: number, create: () => T): T | undefined {
    if (isIPv4(address))
      return valueAt(this.#v4, Math.min(length, 32), (bits) => maskV4(parseIpv4(address), bits), create)
    const groups = parseIpv6(address)
    if (groups === undefined) return undefined
    return valueAt(this.#v6, Math.min(length, 128), (bits) => maskV6(groups, bits), create)
  }

  find(address: string): T | undefined {
    if (isIPv4(address)) {
      if (this.#v4.length === 0) return undefined
      const value = parseIpv4(address)
      for (const level of this.#v4) {
        const found = level.byPrefix.get(maskV4(value, level.length))
        if (found !== undefined) return found
      }
      return undefined
    }
    if (this.#v6.length === 0) return undefined
    const groups = parseIpv6(address)
    if (groups === undefined) return undefined
    for (const level of this.#v6) {
      const found = level.byPrefix.get(maskV6(groups, level.length))
      if (found !== undefined) return found
    }
    return undefined
  }
}

function valueAt<K, T>(levels: Level<K, T>[], length: number, mask: (bits: number) => K, create: () => T): T {
  let level = levels.find((candidate) => candidate.length === length)
  if (level === undefined) {
    level = { length, byPrefix: new Map() }
    levels.push(level)
    levels.sort((a, b) => b.length - a.length)
  }
  const key = mask(length)
  let value = level.byPrefix.get(key)
  if (value === undefined) {
    value = create()
    level.byPrefix.set(key, value)
  }
  return value
}

/** Division, since shifts know only 31 bits. */
function maskV4(value: number, length: number): number {
  return Math.floor(value / 2 ** (32 - length))
}

function maskV6(groups: Uint16Array, length: number): string {
  let key = ''
  for (let i = 0; i * 16 < length; i++) {
    const bits = length - i * 16
    const group = groups[i] as number
    key += String.fromCharCode(bits >= 16 ? group : group & (0xffff << (16 - bits)) & 0xffff)
  }
  return key
}
