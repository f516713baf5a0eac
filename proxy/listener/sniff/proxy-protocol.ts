import { isIPv4, isIPv6 } from 'node:net'
import { formatIpv6, unmapIpv4 } from '../../../lib/ip.ts'
import { MAX_SNIFFED_BYTES, SNIFF, type SniffResult } from './result.ts'

/*
 * The PROXY protocol (haproxy.org/download/3.0/doc/proxy-protocol.txt): a header before the first byte of a connection
 * that says who the client is.
 */

const V1_PREFIX = Buffer.from('PROXY ')
/** Its end included. */
const MAX_V1_BYTES = 107
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_HEADER_BYTES = 16
const LOCAL = 0
const PROXY = 1
const FAMILY_INET = 1
const FAMILY_INET6 = 2
const FAMILY_UNIX = 3
const TRANSPORT_STREAM = 1

export class ProxyHeader {
  /** 0 when none was found. */
  version: 0 | 1 | 2 = 0
  /** What the header takes of the bytes. */
  length = 0
  /** false for a header that leaves the peer as it is: LOCAL, UNKNOWN, unix sockets. */
  hasAddresses = false
  sourceAddress = ''
  sourcePort = 0
  destinationAddress = ''
  destinationPort = 0

  /** Looks at `bytes[start, end)`; `absent` means that the connection begins without a header. */
  read(bytes: Buffer, start: number, end: number): SniffResult {
    const v1 = startsWith(bytes, start, end, V1_PREFIX)
    if (v1 === SNIFF.found) return this.#readV1(bytes, start, end)
    const v2 = startsWith(bytes, start, end, V2_SIGNATURE)
    if (v2 === SNIFF.found) return this.#readV2(bytes, start, end)
    return v1 === SNIFF.more || v2 === SNIFF.more ? SNIFF.more : SNIFF.absent
  }

  #readV1(bytes: Buffer, start: number, end: number): SniffResult {
    this.version = 1
    const limit = Math.min(end, start + MAX_V1_BYTES)
    const lineEnd = bytes.subarray(start, limit).indexOf('\r\n')
    if (lineEnd < 0) return limit - start < MAX_V1_BYTES ? SNIFF.more : SNIFF.broken
    this.length = lineEnd + 2
    const words = bytes.toString('latin1', start, start + lineEnd).split(' ')
    // What follows UNKNOWN must be passed over.
    if (words[1] === 'UNKNOWN') return SNIFF.found
    const isAddress = words[1] === 'TCP4' ? isIPv4 : words[1] === 'TCP6' ? isIPv6 : undefined
    const [, , source = '', destination = '', sourcePort = '', destinationPort = ''] = words
    if (isAddress === undefined || words.length !== 6) return SNIFF.broken
    if (!isAddress(source) || !isAddress(destination)) return SNIFF.broken
    // A zone means something on the machine that sent it only.
    if (source.includes('%') || destination.includes('%')) return SNIFF.broken
    if (!isPort(sourcePort) || !isPort(destinationPort)) return SNIFF.broken
    this.#set(source, Number(sourcePort), destination, Number(destinationPort))
    return SNIFF.found
  }

  #readV2(bytes: Buffer, start: number, end: number): SniffResult {
    this.version = 2
    if (start + V2_HEADER_BYTES > end) return SNIFF.more
    const versionAndCommand = bytes[start + 12] as number
    const family = (bytes[start + 13] as number) >> 4
    const transport = (bytes[start + 13] as number) & 15
    const length = bytes.readUInt16BE(start + 14)
    const command = versionAndCommand & 15
    if (versionAndCommand >> 4 !== 2 || command > PROXY) return SNIFF.broken
    if (V2_HEADER_BYTES + length > MAX_SNIFFED_BYTES) return SNIFF.broken
    if (start + V2_HEADER_BYTES + length > end) return SNIFF.more
    this.length = V2_HEADER_BYTES + length
    if (command === LOCAL) return SNIFF.found
    if (family > FAMILY_UNIX || transport > TRANSPORT_STREAM) return SNIFF.broken
    const addresses = start + V2_HEADER_BYTES
    const size = family === FAMILY_INET ? 12 : family === FAMILY_INET6 ? 36 : family === FAMILY_UNIX ? 216 : 0
    // Of an unspecified family the rest is of no known form; of the others it is addresses, then TLVs.
    if (family !== 0 && !areTlvs(bytes, addresses + size, addresses + length)) return SNIFF.broken
    if (transport !== TRANSPORT_STREAM) return SNIFF.found
    if (family === FAMILY_INET) {
      const ports = addresses + 8
      this.#set(
        ipv4At(bytes, addresses),
        bytes.readUInt16BE(ports),
        ipv4At(bytes, addresses + 4),
        bytes.readUInt16BE(ports + 2),
      )
    } else if (family === FAMILY_INET6) {
      const ports = addresses + 32
      const source = unmapIpv4(formatIpv6(bytes, addresses))
      const destination = unmapIpv4(formatIpv6(bytes, addresses + 16))
      this.#set(source, bytes.readUInt16BE(ports), destination, bytes.readUInt16BE(ports + 2))
    }
    return SNIFF.found
  }

  #set(sourceAddress: string, sourcePort: number, destinationAddress: string, destinationPort: number): void {
    this.hasAddresses = true
    this.sourceAddress = sourceAddress
    this.sourcePort = sourcePort
    this.destinationAddress = destinationAddress
    this.destinationPort = destinationPort
  }
}

/** `more` when what is there agrees but is too short. */
function startsWith(bytes: Buffer, start: number, end: number, prefix: Buffer): SniffResult {
  const length = Math.min(end - start, prefix.length)
  if (bytes.compare(prefix, 0, length, start, start + length) !== 0) return SNIFF.absent
  return length === prefix.length ? SNIFF.found : SNIFF.more
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535
}

function ipv4At(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

/** Whether the range is filled by type, length and value, again and again; it may be empty, but not end before it starts. */
function areTlvs(bytes: Buffer, start: number, end: number): boolean {
  let at = start
  while (at < end) {
    if (at + 3 > end) return false
    at += 3 + bytes.readUInt16BE(at + 1)
  }
  return at === end
}
