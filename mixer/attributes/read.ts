import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt'
import type { Address } from '../../api/gen/envoy/config/core/v3/address_pb.js'
import { parseSpiffeId } from '../../api/spiffe.ts'
import { canonicalIp, unmapIpv4 } from '../../lib/ip.ts'
import type { AttributeBag, StringMap, Value } from './value.ts'

/** How each attribute is read of a source; what is not here, it does not have. */
export type Readers<Source> = ReadonlyMap<string, (source: Source) => Value | undefined>

/** Attributes that are read of a message when somebody asks. What the proxy was told to tell goes first. */
export class ReadBag<Source> implements AttributeBag {
  readonly #source: Source
  readonly #readers: Readers<Source>
  readonly #told: ReadonlyMap<string, Value> | undefined

  constructor(source: Source, readers: Readers<Source>, told?: ReadonlyMap<string, Value>) {
    this.#source = source
    this.#readers = readers
    this.#told = told
  }

  get(name: string): Value | undefined {
    const told = this.#told?.get(name)
    if (told !== undefined) return told
    const reader = this.#readers.get(name)
    const value = reader === undefined ? undefined : reader(this.#source)
    return value ?? this.#ofHost(name)
  }

  /** What the full name of a service in the cluster says. */
  #ofHost(name: string): string | undefined {
    const isName = name === 'destination.service.name'
    if (!isName && name !== 'destination.service.namespace') return undefined
    const host = this.get('destination.service.host')
    const labels = typeof host === 'string' ? host.split('.') : []
    return labels[2] === 'svc' ? labels[isName ? 0 : 1] : undefined
  }
}

/** Absent when it is empty, as protobuf has it. */
export function text(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

export function timestampMs(time: Timestamp | undefined): number | undefined {
  return time && Number(time.seconds) * 1000 + time.nanos / 1e6
}

export function durationMs(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1000 + duration.nanos / 1e6
}

export function addressIp(address: Address | undefined): string | undefined {
  const socket = address?.address
  return socket?.case === 'socketAddress' ? canonicalIp(unmapIpv4(socket.value.address)) || undefined : undefined
}

export function addressPort(address: Address | undefined): number | undefined {
  const socket = address?.address
  if (socket?.case !== 'socketAddress' || socket.value.portSpecifier.case !== 'portValue') return undefined
  return socket.value.portSpecifier.value
}

/** The path without its query. */
export function urlPath(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  const mark = path.indexOf('?')
  return mark < 0 ? path : path.slice(0, mark)
}

/** Parameters of a query; of those that come more than once, the first. */
export function queryParams(path: string | undefined): StringMap | undefined {
  const mark = path === undefined ? -1 : path.indexOf('?')
  if (path === undefined || mark < 0) return undefined
  const params: Record<string, string> = Object.create(null)
  for (const [key, value] of new URLSearchParams(path.slice(mark + 1))) params[key] ??= value
  return params
}

const SPIFFE = 'spiffe://'

/** `cluster.local/ns/a/sa/b`, as Istio's attributes write it. */
export function principalOf(identity: string | undefined): string | undefined {
  return text(identity?.startsWith(SPIFFE) ? identity.slice(SPIFFE.length) : identity)
}

export function namespaceOf(identity: string | undefined): string | undefined {
  return identity === undefined ? undefined : parseSpiffeId(identity)?.namespace
}

export function serviceAccountOf(identity: string | undefined): string | undefined {
  return identity === undefined ? undefined : parseSpiffeId(identity)?.serviceAccount
}

/** Where clients put the key of an API: Istio's defaults. */
export function apiKey(headers: StringMap, params: StringMap | undefined): string | undefined {
  return params?.key ?? params?.api_key ?? headers['x-api-key']
}

/** http or grpc. */
export function httpProtocol(contentType: string | undefined): string {
  return contentType?.startsWith('application/grpc') ? 'grpc' : 'http'
}
