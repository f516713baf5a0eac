import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

/** The messages that a message of descriptor.proto has in one of its fields, each as its bytes; `no` is the field's number. */
export function partsOf(bytes: Uint8Array, no: number): Uint8Array[] {
  const parts: Uint8Array[] = []
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [found, wireType] = reader.tag()
    if (found === no && wireType === WireType.LengthDelimited) parts.push(reader.bytes())
    else reader.skip(wireType, found)
  }
  return parts
}
