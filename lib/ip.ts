import { isIPv4, isIPv6 } from 'node:net'

/** The number that a dotted IPv4 address stands for. It must be one (`isIPv4`). */
export function parseIpv4(address: string): number {
  let value = 0
  let octet = 0
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i)
    if (code === 0x2e) {
      value = value * 256 + octet
      octet = 0
    } else octet = octet * 10 + code - 0x30
  }
  return value * 256 + octet
}

/** The eight 16-bit groups of an IPv6 address (RFC 4291 section 2.2); a zone is left out. undefined when it is none. */
export function parseIpv6(address: string): Uint16Array | undefined {
  if (!isIPv6(address)) return undefined
  const groups = new Uint16Array(8)
  const percent = address.indexOf('%')
  const text = percent < 0 ? address : address.slice(0, percent)
  const gap = text.indexOf('::')
  const front = gap < 0 ? groupsOf(text) : groupsOf(text.slice(0, gap))
  const back = gap < 0 ? [] : groupsOf(text.slice(gap + 2))
  groups.set(front, 0)
  groups.set(back, 8 - back.length)
  return groups
}

/** The 4 or 16 bytes of an address, in network order. It must be one (`isIP`). */
export function ipBytes(address: string): Buffer {
  if (isIPv4(address)) {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(parseIpv4(address))
    return bytes
  }
  const bytes = Buffer.alloc(16)
  parseIpv6(address)?.forEach((group, i) => {
    bytes.writeUInt16BE(group, 2 * i)
  })
  return bytes
}

function groupsOf(text: string): number[] {
  const groups: number[] = []
  if (text === '') return groups
  for (const part of text.split(':')) {
    if (isIPv4(part)) {
      const value = parseIpv4(part)
      groups.push(value >>> 16, value & 0xffff)
    } else groups.push(Number.parseInt(part, 16))
  }
  return groups
}

/** The text of the 16 bytes at `at`, in the form of RFC 5952: lower case, the longest run of zero groups left out. */
export function formatIpv6(bytes: Uint8Array, at: number): string {
  const groups = new Uint16Array(8)
  for (let i = 0; i < 8; i++) groups[i] = ((bytes[at + 2 * i] as number) << 8) | (bytes[at + 2 * i + 1] as number)
  return formatGroups(groups)
}

/** An address as it is always written, by whoever wrote it; '' for what is none, and for one with a zone. */
export function canonicalIp(address: string): string {
  if (isIPv4(address)) return address
  // A zone means something on the machine that wrote it only.
  const groups = address.includes('%') ? undefined : parseIpv6(address)
  return groups === undefined ? '' : formatGroups(groups)
}

/** The text of parseIpv6()'s groups, in the form of RFC 5952. */
export function formatGroups(groups: Uint16Array): string {
  if (groups.subarray(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high, low] = [groups[6] as number, groups[7] as number]
    return `::ffff:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  }
  let best = 0
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === 0) length++
    if (length > bestLength) {
      best = i
      bestLength = length
    }
  }
  const hex = Array.from(groups, (group) => group.toString(16))
  if (bestLength < 2) return hex.join(':')
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`
}

const MAPPED = '::ffff:'

/** `::ffff:1.2.3.4`, which is how an IPv6 socket names an IPv4 peer, as `1.2.3.4`; other addresses as they are. */
export function unmapIpv4(address: string): string {
  if (!address.startsWith(MAPPED)) return address
  const rest = address.slice(MAPPED.length)
  return isIPv4(rest) ? rest : address
}

export function isLoopback(address: string): boolean {
  return (address.startsWith('127.') && isIPv4(address)) || address === '::1'
}

/** The network of so many bits that an address is in, as `10.1.0.0/16`. The address must be one (`isIP`). */
export function formatPrefix(address: string, bits: number): string {
  const bytes = ipBytes(address)
  for (let i = 0; i < bytes.length; i++) {
    const kept = Math.min(8, Math.max(0, bits - 8 * i))
    bytes[i]! &= 0xff << (8 - kept)
  }
  return `${bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes, 0)}/${bits}`
}
