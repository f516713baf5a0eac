import { isIPv4, isIPv6 } from 'node:net'
import { endianness } from 'node:os'
import { formatIpv6, parseIpv4, parseIpv6 } from '../ip.ts'

export const AF_INET = 2
export const AF_INET6 = 10
/** Size of struct sockaddr_in6, the larger of the two. */
export const MAX_SOCKADDR_BYTES = 28
const SOCKADDR_IN_BYTES = 16

const isLittleEndian = endianness() === 'LE'

export interface SocketAddress {
  readonly address: string
  readonly port: number
}

/** struct sockaddr_in or sockaddr_in6 of Linux; undefined when `address` is not an IP address. */
export function encodeSockaddr(address: string, port: number): Buffer | undefined {
  if (isIPv4(address)) {
    const bytes = Buffer.alloc(SOCKADDR_IN_BYTES)
    writeFamily(bytes, AF_INET)
    bytes.writeUInt16BE(port, 2)
    bytes.writeUInt32BE(parseIpv4(address), 4)
    return bytes
  }
  if (!isIPv6(address)) return undefined
  const bytes = Buffer.alloc(MAX_SOCKADDR_BYTES)
  writeFamily(bytes, AF_INET6)
  bytes.writeUInt16BE(port, 2)
  parseIpv6(address)?.forEach((group, i) => {
    bytes.writeUInt16BE(group, 8 + 2 * i)
  })
  return bytes
}

/** What such a struct says; undefined for other families. */
export function decodeSockaddr(bytes: Buffer): SocketAddress | undefined {
  const family = isLittleEndian ? bytes.readUInt16LE(0) : bytes.readUInt16BE(0)
  const port = bytes.readUInt16BE(2)
  if (family === AF_INET) return { address: `${bytes[4]}.${bytes[5]}.${bytes[6]}.${bytes[7]}`, port }
  return family === AF_INET6 ? { address: formatIpv6(bytes, 8), port } : undefined
}

function writeFamily(bytes: Buffer, family: number): void {
  if (isLittleEndian) bytes.writeUInt16LE(family, 0)
  else bytes.writeUInt16BE(family, 0)
}
