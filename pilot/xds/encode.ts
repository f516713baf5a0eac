import type { TypeUrl } from '../../api/type-urls.ts'
import { Message } from './message.ts'
import type { EncodedResource } from './view.ts'

/*
 * Responses are put together from bytes: a resource's part of a response is encoded once and shared by every stream,
 * since protobuf messages may be written as the concatenation of their fields. Field numbers are those of
 * envoy/service/discovery/v3/discovery.proto.
 */

const LENGTH_DELIMITED = 2

function varint(value: number): Buffer {
  const bytes: number[] = []
  while (value > 127) {
    bytes.push((value % 128) + 128)
    value = Math.floor(value / 128)
  }
  bytes.push(value)
  return Buffer.from(bytes)
}

function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + LENGTH_DELIMITED), varint(content.length), content])
}

function text(number: number, value: string): Buffer {
  return value === '' ? Buffer.alloc(0) : field(number, Buffer.from(value, 'utf8'))
}

/** google.protobuf.Any: type_url = 1, value = 2. */
function any(type: TypeUrl, bytes: Uint8Array): Buffer {
  return Buffer.concat([text(1, type), field(2, bytes)])
}

const sotwParts = new WeakMap<EncodedResource, Buffer>()
const deltaParts = new WeakMap<EncodedResource, Buffer>()

/** DiscoveryResponse.resources = 2. */
function sotwPart(type: TypeUrl, resource: EncodedResource): Buffer {
  let part = sotwParts.get(resource)
  if (part === undefined) {
    part = field(2, any(type, resource.bytes))
    sotwParts.set(resource, part)
  }
  return part
}

/** DeltaDiscoveryResponse.resources = 2, of Resource: version = 1, resource = 2, name = 3. */
function deltaPart(type: TypeUrl, resource: EncodedResource): Buffer {
  let part = deltaParts.get(resource)
  if (part === undefined) {
    const body = [text(1, resource.version), field(2, any(type, resource.bytes)), text(3, resource.name)]
    part = field(2, Buffer.concat(body))
    deltaParts.set(resource, part)
  }
  return part
}

type PartOf = (type: TypeUrl, resource: EncodedResource) => Buffer

/** The lists that were put together last, by their first resource. */
const joinedLists = new WeakMap<
  PartOf,
  WeakMap<EncodedResource, { resources: readonly EncodedResource[]; bytes: Buffer }>
>([
  [sotwPart, new WeakMap()],
  [deltaPart, new WeakMap()],
])

const NOTHING = Buffer.alloc(0)

/** The parts of some resources, one after the other: the same bytes for the same resources. */
function joinedParts(type: TypeUrl, resources: readonly EncodedResource[], partOf: PartOf): Buffer {
  const [first] = resources
  if (first === undefined) return NOTHING
  if (resources.length === 1) return partOf(type, first)
  const lists = joinedLists.get(partOf)
  const last = lists?.get(first)
  if (last !== undefined && isSame(last.resources, resources)) return last.bytes
  const bytes = Buffer.concat(resources.map((resource) => partOf(type, resource)))
  lists?.set(first, { resources, bytes })
  return bytes
}

function isSame(a: readonly EncodedResource[], b: readonly EncodedResource[]): boolean {
  return a === b || (a.length === b.length && a.every((resource, i) => resource === b[i]))
}

/** What the responses of one push have in common beside their resources: nearly always what the last had. */
const lastFields = new Map<TypeUrl, { version: string; bytes: Buffer }>()

/** version_info or system_version_info = 1, type_url = 4. */
function versionAndType(type: TypeUrl, version: string): Buffer {
  let last = lastFields.get(type)
  if (last?.version !== version) {
    last = { version, bytes: Buffer.concat([text(1, version), text(4, type)]) }
    lastFields.set(type, last)
  }
  return last.bytes
}

/** DiscoveryResponse: version_info = 1, resources = 2, type_url = 4, nonce = 5. */
export function encodeSotw(
  type: TypeUrl,
  resources: readonly EncodedResource[],
  version: string,
  nonce: string,
): Message {
  return new Message([versionAndType(type, version), text(5, nonce)], joinedParts(type, resources, sotwPart))
}

/** DeltaDiscoveryResponse: system_version_info = 1, resources = 2, type_url = 4, nonce = 5, removed_resources = 6. */
export function encodeDelta(
  type: TypeUrl,
  resources: readonly EncodedResource[],
  removed: readonly string[],
  version: string,
  nonce: string,
): Message {
  const own = [versionAndType(type, version), text(5, nonce), ...removed.map((name) => text(6, name))]
  return new Message(own, joinedParts(type, resources, deltaPart))
}
