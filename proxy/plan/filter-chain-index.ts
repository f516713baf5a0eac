import { PrefixTable } from '../../lib/prefix-table.ts'
import type { CidrPlan, FilterChainPlan } from './plan.ts'

/*
 * A listener's filter chains by what they match: one level for each criterion, in the order in which Envoy looks at
 * them. Each level holds what its specific values lead to and what leads on from no value; a look-up takes the first of
 * these that is there and never comes back (envoy.config.listener.v3.FilterChainMatch).
 */

export type FilterChainIndex = PortLevel
export type PortLevel = ValueLevel<number, AddressLevel>
export type AddressLevel = PrefixLevel<NameLevel>
export type NameLevel = ValueLevel<string, TransportLevel>
export type TransportLevel = ValueLevel<string, ProtocolLevel>
export type ProtocolLevel = ValueLevel<string, DirectSourceLevel>
export type DirectSourceLevel = PrefixLevel<SourceTypeLevel>
export type SourceTypeLevel = ValueLevel<'local' | 'external', SourceLevel>
export type SourceLevel = PrefixLevel<SourcePortLevel>
export type SourcePortLevel = ValueLevel<number, Leaf>

/** Holds one chain; a second one of the same way is refused when the index is built. */
export class Leaf {
  chain: FilterChainPlan | undefined
}

export class ValueLevel<K, T> {
  readonly specific = new Map<K, T>()
  any: T | undefined

  /** What these values lead to, made where it is not there yet; no values stand for any. */
  under(values: readonly K[], create: () => T): T[] {
    if (values.length === 0) {
      this.any ??= create()
      return [this.any]
    }
    return values.map((value) => {
      const found = this.specific.get(value) ?? create()
      this.specific.set(value, found)
      return found
    })
  }

  find(value: K): T | undefined {
    return this.specific.get(value) ?? this.any
  }
}

export class PrefixLevel<T> {
  table: PrefixTable<T> | undefined
  any: T | undefined

  under(ranges: readonly CidrPlan[], create: () => T): T[] {
    if (ranges.length === 0) {
      this.any ??= create()
      return [this.any]
    }
    this.table ??= new PrefixTable()
    const found: T[] = []
    for (const { address, prefixLength } of ranges) {
      const value = this.table.at(address, prefixLength, create)
      if (value !== undefined) found.push(value)
    }
    return found
  }

  find(address: string): T | undefined {
    return this.table?.find(address) ?? this.any
  }
}
