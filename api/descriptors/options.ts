import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

/** What one message of google.protobuf.*Options says by a number or a flag, or undefined; `no` is the field's number. */
export function optionOf(options: Uint8Array | undefined, no: number): number | undefined {
  if (options === undefined) return undefined
  const reader = new BinaryReader(options)
  let value: number | undefined
  while (reader.pos < reader.len) {
    const [found, wireType] = reader.tag()
    if (found === no && wireType === WireType.Varint) value = reader.uint32()
    else reader.skip(wireType, found)
  }
  return value
}
