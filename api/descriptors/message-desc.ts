import {
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescOneof,
  fromBinary,
} from '@bufbuild/protobuf'
import { protoCamelCase } from '@bufbuild/protobuf/reflect'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { type DescriptorProto, DescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { LazyEnum } from './enum-desc.ts'
import { fieldOf, Oneof, readField, type TypeOf } from './field-desc.ts'
import { optionOf } from './options.ts'
import { partsOf } from './parts.ts'

/** Fields of google.protobuf.DescriptorProto. */
const FIELD = 2
const ONEOF = 8

/** Fields of google.protobuf.MessageOptions. */
const DEPRECATED = 3
const MAP_ENTRY = 7

interface Members {
  readonly fields: DescField[]
  readonly field: Record<string, DescField>
  readonly oneofs: DescOneof[]
  readonly members: (DescField | DescOneof)[]
}

/** A message that knows the types within it at once, and its fields when they are asked for. */
export class LazyMessage implements DescMessage {
  readonly kind = 'message'
  readonly name: string
  readonly typeName: string
  readonly deprecated: boolean
  readonly file: DescFile
  readonly parent: DescMessage | undefined
  readonly nestedEnums: DescEnum[] = []
  readonly nestedMessages: DescMessage[] = []
  /** What a map within this message has for its entries. */
  readonly isMapEntry: boolean
  readonly #mapEntries: LazyMessage[] = []
  readonly #typeOf: TypeOf
  readonly #bytes: Uint8Array
  #members: Members | undefined

  /** @param bytes google.protobuf.DescriptorProto @param scope what stands before its name, with its dot */
  constructor(bytes: Uint8Array, scope: string, file: DescFile, parent: DescMessage | undefined, typeOf: TypeOf) {
    let name = ''
    let options: Uint8Array | undefined
    const enums: Uint8Array[] = []
    const messages: Uint8Array[] = []
    const reader = new BinaryReader(bytes)
    while (reader.pos < reader.len) {
      const [no, wireType] = reader.tag()
      if (no === 1) name = reader.string()
      else if (no === 3) messages.push(reader.bytes())
      else if (no === 4) enums.push(reader.bytes())
      else if (no === 7) options = reader.bytes()
      else reader.skip(wireType, no)
    }
    this.name = name
    this.typeName = scope + name
    this.deprecated = optionOf(options, DEPRECATED) === 1
    this.isMapEntry = optionOf(options, MAP_ENTRY) === 1
    this.file = file
    this.parent = parent
    this.#typeOf = typeOf
    this.#bytes = bytes
    const inner = `${this.typeName}.`
    for (const part of enums) this.nestedEnums.push(new LazyEnum(part, inner, file, this))
    for (const part of messages) {
      const message = new LazyMessage(part, inner, file, this, typeOf)
      if (message.isMapEntry) this.#mapEntries.push(message)
      else this.nestedMessages.push(message)
    }
  }

  get fields(): DescField[] {
    return this.#known().fields
  }

  get field(): Record<string, DescField> {
    return this.#known().field
  }

  get oneofs(): DescOneof[] {
    return this.#known().oneofs
  }

  get members(): (DescField | DescOneof)[] {
    return this.#known().members
  }

  get nestedExtensions(): DescExtension[] {
    return []
  }

  get proto(): DescriptorProto {
    return withJsonNames(fromBinary(DescriptorProtoSchema, this.#bytes))
  }

  toString(): string {
    return `message ${this.typeName}`
  }

  #known(): Members {
    if (this.#members === undefined) this.#members = this.#read()
    return this.#members
  }

  #read(): Members {
    const groups = partsOf(this.#bytes, ONEOF).map((bytes) => new Oneof(bytes, this))
    const fields: DescField[] = []
    const field: Record<string, DescField> = {}
    const members = new Set<DescField | DescOneof>()
    for (const bytes of partsOf(this.#bytes, FIELD)) {
      const part = readField(bytes)
      // An `optional` field stands in a group that is made for it alone.
      const oneof = part.isOptional || part.oneofIndex === undefined ? undefined : groups[part.oneofIndex]
      const entry = this.#mapEntries.find(({ typeName }) => typeName === part.typeName)
      const made = fieldOf(part, this, oneof, entry, this.#typeOf)
      fields.push(made)
      field[made.localName] = made
      oneof?.fields.push(made)
      members.add(oneof ?? made)
    }
    return { fields, field, oneofs: groups.filter((oneof) => members.has(oneof)), members: [...members] }
  }
}

/** Generated files leave out the names that follow from the fields' own. */
export function withJsonNames(proto: DescriptorProto): DescriptorProto {
  for (const field of proto.field) field.jsonName ||= protoCamelCase(field.name)
  proto.nestedType.forEach(withJsonNames)
  return proto
}
