import { isIPv4 } from 'node:net'
import { formatGroups, parseIpv4, parseIpv6 } from '../../lib/ip.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'

/** Version of the PROXY protocol. */
export type ProxyVersion = 'v1' | 'v2'

type Addresses = Pick<ConnectionFacts, 'sourceAddress' | 'sourcePort' | 'destinationAddress' | 'destinationPort'>

const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_HEADER_BYTES = 16
const V2_PROXY = 0x21
const TCP_OVER_IPV4 = 0x11
const TCP_OVER_IPV6 = 0x21
/** Says nothing of who the client is: its addresses are none of IP, or of two families. */
const V1_UNKNOWN = Buffer.from('PROXY UNKNOWN\r\n')
const V2_LOCAL = Buffer.concat([V2_SIGNATURE, Buffer.from([0x20, 0, 0, 0])])

/**
 * What stands before the first byte of a connection to say whose bytes they are (haproxy.org/download/3.0/doc/proxy-protocol.txt,
 * section 2): the client of the connection that they came on, and where it meant to go.
 */
export function encodeProxyHeader(version: ProxyVersion, facts: Addresses): Buffer {
  const { sourceAddress, sourcePort, destinationAddress, destinationPort } = facts
  if (isIPv4(sourceAddress) && isIPv4(destinationAddress)) {
    if (version === 'v1') return v1('TCP4', sourceAddress, destinationAddress, sourcePort, destinationPort)
    const header = v2(TCP_OVER_IPV4, 12, sourcePort, destinationPort)
    header.writeUInt32BE(parseIpv4(sourceAddress), V2_HEADER_BYTES)
    header.writeUInt32BE(parseIpv4(destinationAddress), V2_HEADER_BYTES + 4)
    return header
  }
  const source = parseIpv6(sourceAddress)
  const destination = parseIpv6(destinationAddress)
  if (source === undefined || destination === undefined) return version === 'v1' ? V1_UNKNOWN : V2_LOCAL
  if (version === 'v1') {
    // Without the zone that an address may have on this machine.
    return v1('TCP6', formatGroups(source), formatGroups(destination), sourcePort, destinationPort)
  }
  const header = v2(TCP_OVER_IPV6, 36, sourcePort, destinationPort)
  for (let i = 0; i < 8; i++) {
    header.writeUInt16BE(source[i] as number, V2_HEADER_BYTES + 2 * i)
    header.writeUInt16BE(destination[i] as number, V2_HEADER_BYTES + 16 + 2 * i)
  }
  return header
}

function v1(family: string, source: string, destination: string, sourcePort: number, destinationPort: number): Buffer {
  return Buffer.from(`PROXY ${family} ${source} ${destination} ${sourcePort} ${destinationPort}\r\n`, 'latin1')
}

/** All but the addresses; the ports are at the end. */
function v2(family: number, bytes: number, sourcePort: number, destinationPort: number): Buffer {
  const header = Buffer.alloc(V2_HEADER_BYTES + bytes)
  V2_SIGNATURE.copy(header)
  header[12] = V2_PROXY
  header[13] = family
  header.writeUInt16BE(bytes, 14)
  header.writeUInt16BE(sourcePort, V2_HEADER_BYTES + bytes - 4)
  header.writeUInt16BE(destinationPort, V2_HEADER_BYTES + bytes - 2)
  return header
}
