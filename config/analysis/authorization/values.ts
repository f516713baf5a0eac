import { isIP } from 'node:net'
import { ipBytes } from '../../../lib/ip.ts'

/** How the values of a list are read. */
export type ValueKind = 'text' | 'host' | 'address'

/** Whether whatever meets `b` meets `a`. May say no where the truth is yes, never the other way round. */
export function valueCovers(a: string, b: string, kind: ValueKind): boolean {
  if (kind === 'address') return rangeCovers(a, b)
  return kind === 'host' ? globCovers(a.toLowerCase(), b.toLowerCase()) : globCovers(a, b)
}

/** A star at the beginning or the end is any text; a path template covers only itself, and is covered by its beginning. */
function globCovers(a: string, b: string): boolean {
  if (a === b || a === '*') return true
  if (b === '*' || a.includes('{')) return false
  const template = b.indexOf('{')
  if (a.startsWith('*')) return template < 0 && (b.startsWith('*') || !b.endsWith('*')) && b.endsWith(a.slice(1))
  if (!a.endsWith('*')) return false
  if (b.startsWith('*')) return false
  const beginning = template < 0 ? b.replace(/\*$/, '') : b.slice(0, template)
  return beginning.startsWith(a.slice(0, -1))
}

function rangeCovers(a: string, b: string): boolean {
  const [wide, narrow] = [rangeOf(a), rangeOf(b)]
  if (wide.bytes.length !== narrow.bytes.length || wide.length > narrow.length) return false
  for (let bit = 0; bit < wide.length; bit++) {
    const mask = 0x80 >> (bit & 7)
    if (((wide.bytes[bit >> 3] as number) & mask) !== ((narrow.bytes[bit >> 3] as number) & mask)) return false
  }
  return true
}

function rangeOf(block: string): { bytes: Buffer; length: number } {
  const slash = block.indexOf('/')
  const address = slash < 0 ? block : block.slice(0, slash)
  const bytes = isIP(address) === 0 ? Buffer.alloc(0) : ipBytes(address)
  return { bytes, length: slash < 0 ? bytes.length * 8 : Number(block.slice(slash + 1)) }
}

/** Whether each of `narrow` is covered by one of `wide`. */
export function allCovered(narrow: readonly string[], wide: readonly string[], kind: ValueKind): boolean {
  return narrow.every((b) => wide.some((a) => valueCovers(a, b, kind)))
}
