import { type DescEnum, type DescEnumValue, type DescFile, type DescMessage, fromBinary } from '@bufbuild/protobuf'
import { safeObjectProperty } from '@bufbuild/protobuf/reflect'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import {
  type EnumDescriptorProto,
  EnumDescriptorProtoSchema,
  type EnumValueDescriptorProto,
} from '@bufbuild/protobuf/wkt'
import { optionOf } from './options.ts'
import { partsOf } from './parts.ts'

/** The field of google.protobuf.EnumDescriptorProto that has the values. */
const VALUE = 2

/** `deprecated` of google.protobuf.EnumOptions and of EnumValueOptions. */
const DEPRECATED = 3
const VALUE_DEPRECATED = 1

/** An enumeration that reads its values once they are asked for. */
export class LazyEnum implements DescEnum {
  readonly kind = 'enum'
  /** As all of proto3 are. */
  readonly open = true
  readonly name: string
  readonly typeName: string
  readonly deprecated: boolean
  readonly file: DescFile
  readonly parent: DescMessage | undefined
  readonly #bytes: Uint8Array
  #values: DescEnumValue[] | undefined
  #value: Record<number, DescEnumValue> = {}
  #sharedPrefix: string | undefined

  /** @param bytes google.protobuf.EnumDescriptorProto @param scope what stands before its name, with its dot */
  constructor(bytes: Uint8Array, scope: string, file: DescFile, parent: DescMessage | undefined) {
    let name = ''
    let options: Uint8Array | undefined
    const reader = new BinaryReader(bytes)
    while (reader.pos < reader.len) {
      const [no, wireType] = reader.tag()
      if (no === 1) name = reader.string()
      else if (no === 3) options = reader.bytes()
      else reader.skip(wireType, no)
    }
    this.name = name
    this.typeName = scope + name
    this.deprecated = optionOf(options, DEPRECATED) === 1
    this.file = file
    this.parent = parent
    this.#bytes = bytes
  }

  get values(): DescEnumValue[] {
    return this.#values ?? this.#read()
  }

  get value(): Record<number, DescEnumValue> {
    if (this.#values === undefined) this.#read()
    return this.#value
  }

  get sharedPrefix(): string | undefined {
    if (this.#values === undefined) this.#read()
    return this.#sharedPrefix
  }

  get proto(): EnumDescriptorProto {
    return fromBinary(EnumDescriptorProtoSchema, this.#bytes)
  }

  toString(): string {
    return `enum ${this.typeName}`
  }

  #read(): DescEnumValue[] {
    const values = partsOf(this.#bytes, VALUE).map((part) => new EnumValue(part, this))
    this.#sharedPrefix = sharedPrefix(this.name, values)
    const cut = this.#sharedPrefix?.length ?? 0
    for (const value of values) {
      value.localName = safeObjectProperty(value.name.slice(cut))
      // The name that was declared first stands for a number that has several.
      this.#value[value.number] ??= value
    }
    this.#values = values
    return values
  }
}

class EnumValue implements DescEnumValue {
  readonly kind = 'enum_value'
  readonly name: string
  localName = ''
  readonly number: number
  readonly deprecated: boolean
  readonly parent: DescEnum

  constructor(bytes: Uint8Array, parent: DescEnum) {
    let name = ''
    let number = 0
    let options: Uint8Array | undefined
    const reader = new BinaryReader(bytes)
    while (reader.pos < reader.len) {
      const [no, wireType] = reader.tag()
      if (no === 1) name = reader.string()
      else if (no === 2) number = reader.int32()
      else if (no === 3) options = reader.bytes()
      else reader.skip(wireType, no)
    }
    this.name = name
    this.number = number
    this.deprecated = optionOf(options, VALUE_DEPRECATED) === 1
    this.parent = parent
  }

  get jsonName(): string {
    return this.name
  }

  get proto(): EnumValueDescriptorProto {
    return this.parent.proto.value.find(({ name }) => name === this.name) as EnumValueDescriptorProto
  }

  toString(): string {
    return `enum value ${this.parent.typeName}.${this.name}`
  }
}

/** `my_enum_` for `enum MyEnum { MY_ENUM_A = 0; MY_ENUM_B = 1; }`; undefined where what is left would be no name. */
function sharedPrefix(enumName: string, values: readonly EnumValue[]): string | undefined {
  const snake = enumName.slice(0, 1) + enumName.slice(1).replace(/[A-Z]/g, '_$&')
  const prefix = `${snake.toLowerCase()}_`
  const isCut = ({ name }: EnumValue) => name.toLowerCase().startsWith(prefix) && /^\D/.test(name.slice(prefix.length))
  return values.every(isCut) ? prefix : undefined
}
