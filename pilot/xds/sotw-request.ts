import { fromBinary } from '@bufbuild/protobuf'
import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire'
import { type DiscoveryRequest, DiscoveryRequestSchema } from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'

/**
 * A state-of-the-world request whose names are left as the bytes they came in. Every acknowledgement repeats all names,
 * and nearly always they are those of the request before: comparing bytes is then all there is to do.
 */
export interface SotwRequest {
  /** All but `resource_names`. */
  readonly message: DiscoveryRequest
  /**
   * The encoded `resource_names` fields, in order: one of the known blocks, or part of the transport's buffer, to be
   * copied by who keeps it.
   */
  readonly nameBytes: Uint8Array
}

/** Tag of DiscoveryRequest.resource_names (3), length-delimited. */
const NAMES_TAG = 0x1a

/** Throws when the bytes are no DiscoveryRequest. `known` are names as they were encoded in earlier requests. */
export function decodeSotwRequest(bytes: Uint8Array, known: Iterable<Buffer> = []): SotwRequest {
  const names: Uint8Array[] = []
  const rest: Uint8Array[] = []
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const start = reader.pos
    if (bytes[start] === NAMES_TAG) {
      const block = knownAt(bytes, start, known)
      reader.pos = block === undefined ? endOfNames(bytes, start) : start + block.length
      names.push(block ?? bytes.subarray(start, reader.pos))
    } else {
      const [field, wireType] = reader.tag()
      reader.skip(wireType as WireType, field)
      rest.push(bytes.subarray(start, reader.pos))
    }
  }
  return {
    message: fromBinary(DiscoveryRequestSchema, joined(rest)),
    nameBytes: joined(names),
  }
}

export function namesOf({ nameBytes }: SotwRequest): string[] {
  return fromBinary(DiscoveryRequestSchema, nameBytes).resourceNames
}

/** The known block that the run of names at `start` is. One comparison of memory, where to walk takes a step a name. */
function knownAt(bytes: Uint8Array, start: number, known: Iterable<Buffer>): Buffer | undefined {
  for (const block of known) {
    const end = start + block.length
    if (block.length === 0 || end > bytes.length || bytes[end] === NAMES_TAG) continue
    if (block.compare(bytes, start, end) === 0) return block
  }
  return undefined
}

/** The position after a run of names that begins at `start`. */
function endOfNames(bytes: Uint8Array, start: number): number {
  let pos = start
  while (bytes[pos] === NAMES_TAG) {
    let length = 0
    let scale = 1
    let byte: number
    do {
      byte = bytes[++pos] ?? -1
      if (byte < 0 || scale > 2 ** 28) throw new RangeError('resource_names: a broken length')
      length += (byte & 127) * scale
      scale *= 128
    } while (byte > 127)
    pos += 1 + length
    if (pos > bytes.length) throw new RangeError('resource_names: longer than the message')
  }
  return pos
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
}
