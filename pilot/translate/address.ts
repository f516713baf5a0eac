import { create } from '@bufbuild/protobuf'
import {
  type Address,
  AddressSchema,
  type CidrRange,
  CidrRangeSchema,
  PipeSchema,
  SocketAddressSchema,
} from '../../api/gen/envoy/config/core/v3/address_pb.js'

const UNIX_SCHEME = 'unix://'

/** An IP address or host name with its port; or, when it begins with `/` or `unix://`, the path of a Unix socket. */
export function address(host: string, port: number): Address {
  const path = host.startsWith(UNIX_SCHEME) ? host.slice(UNIX_SCHEME.length) : host
  if (path.startsWith('/'))
    return create(AddressSchema, { address: { case: 'pipe', value: create(PipeSchema, { path }) } })
  const value = create(SocketAddressSchema, { address: host, portSpecifier: { case: 'portValue', value: port } })
  return create(AddressSchema, { address: { case: 'socketAddress', value } })
}

/** `10.0.0.0/8`, or one address, which is its own range. */
export function cidrRange(text: string): CidrRange {
  const slash = text.indexOf('/')
  const addressPrefix = slash < 0 ? text : text.slice(0, slash)
  const whole = addressPrefix.includes(':') ? 128 : 32
  return create(CidrRangeSchema, { addressPrefix, prefixLen: slash < 0 ? whole : Number(text.slice(slash + 1)) })
}
