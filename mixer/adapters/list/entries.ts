import { isIP } from 'node:net'
import { unmapIpv4 } from '../../../lib/ip.ts'
import { PrefixTable } from '../../../lib/prefix-table.ts'
import { compileSafeRegex } from '../../../lib/safe-regex.ts'

export type EntryType = 'STRINGS' | 'CASE_INSENSITIVE_STRINGS' | 'IP_ADDRESSES' | 'REGEX'

/** What is on a list. */
export interface Entries {
  readonly size: number
  /** The entry that holds the value; undefined when none does. Throws a text when such a value cannot be on it. */
  find(value: string): string | undefined
}

/** Throws an error that names the entry which is none. */
export function readEntries(type: EntryType, entries: readonly string[]): Entries {
  switch (type) {
    case 'STRINGS':
      return exact(entries, (text) => text)
    case 'CASE_INSENSITIVE_STRINGS':
      return exact(entries, (text) => text.toUpperCase())
    case 'IP_ADDRESSES':
      return prefixes(entries)
    case 'REGEX':
      return patterns(entries)
  }
}

function exact(entries: readonly string[], fold: (text: string) => string): Entries {
  const folded = new Map(entries.map((entry) => [fold(entry), entry]))
  return { size: folded.size, find: (value) => folded.get(fold(value)) }
}

function prefixes(entries: readonly string[]): Entries {
  const table = new PrefixTable<string>()
  for (const entry of entries) {
    const [address = '', length] = entry.split('/')
    const family = isIP(address)
    const bits = length === undefined ? 128 : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
    const isPrefix = family !== 0 && (length === undefined || bits <= (family === 4 ? 32 : 128))
    if (!isPrefix) throw new Error(`${JSON.stringify(entry)} is no IP address or CIDR prefix`)
    table.at(address, bits, () => entry)
  }
  return {
    size: entries.length,
    find(value) {
      const address = unmapIpv4(value)
      if (isIP(address) === 0) throw new NoSuchValue(`${JSON.stringify(value)} is no IP address`)
      return table.find(address)
    },
  }
}

/** A value that no list of that type could hold. */
export class NoSuchValue extends Error {}

function patterns(entries: readonly string[]): Entries {
  const compiled = entries.map((entry) => {
    const result = compileSafeRegex(entry)
    if (!result.ok) throw new Error(`${JSON.stringify(entry)}: ${result.error}`)
    return result.regex
  })
  return { size: entries.length, find: (value) => compiled.find((regex) => regex.search(value))?.pattern }
}
