import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescOneof,
  fromBinary,
  ScalarType,
} from '@bufbuild/protobuf'
import { protoCamelCase, safeObjectProperty } from '@bufbuild/protobuf/reflect'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import {
  type FieldDescriptorProto,
  type OneofDescriptorProto,
  OneofDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt'
import { optionOf } from './options.ts'

/** google.protobuf.FieldDescriptorProto.Label and .Type; the types that are scalar are those of ScalarType. */
const LABEL_REPEATED = 3
const TYPE_MESSAGE = 11
const TYPE_ENUM = 14
/** google.protobuf.FeatureSet.FieldPresence */
const EXPLICIT = 1
const IMPLICIT = 2
/** Fields of google.protobuf.FieldOptions, and a value of its JSType. */
const PACKED = 2
const DEPRECATED = 3
const JSTYPE = 6
const JS_STRING = 1

/** What a type is looked for by: its whole name, such as `envoy.config.core.v3.Address`. Throws if there is none. */
export type TypeOf = (name: string) => DescMessage | DescEnum

/** One field as descriptor.proto has it. */
export interface FieldPart {
  readonly name: string
  readonly number: number
  readonly isRepeated: boolean
  readonly type: number
  /** Without its leading dot; empty where the type is scalar. */
  readonly typeName: string
  readonly jsonName: string | undefined
  readonly options: Uint8Array | undefined
  readonly oneofIndex: number | undefined
  readonly isOptional: boolean
}

export function readField(bytes: Uint8Array): FieldPart {
  let name = ''
  let number = 0
  let label = 0
  let type = 0
  let typeName = ''
  let jsonName: string | undefined
  let options: Uint8Array | undefined
  let oneofIndex: number | undefined
  let isOptional = false
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [no, wireType] = reader.tag()
    if (no === 1) name = reader.string()
    else if (no === 3) number = reader.int32()
    else if (no === 4) label = reader.int32()
    else if (no === 5) type = reader.int32()
    else if (no === 6) typeName = reader.string().replace(/^\./, '')
    else if (no === 8) options = reader.bytes()
    else if (no === 9) oneofIndex = reader.int32()
    else if (no === 10) jsonName = reader.string()
    else if (no === 17) isOptional = reader.bool()
    else reader.skip(wireType, no)
  }
  const isRepeated = label === LABEL_REPEATED
  return { name, number, isRepeated, type, typeName, jsonName, options, oneofIndex, isOptional }
}

/** All kinds of field in one class, so that code which reads them meets one shape. */
class Field {
  readonly kind = 'field'
  readonly name: string
  readonly localName: string
  readonly jsonName: string
  readonly number: number
  readonly deprecated: boolean
  readonly parent: DescMessage
  readonly oneof: DescOneof | undefined
  readonly presence: number
  readonly utf8Validation = true
  fieldKind = 'scalar'
  listKind: string | undefined
  mapKind: string | undefined
  mapKey: ScalarType | undefined
  scalar: ScalarType | undefined
  message: DescMessage | undefined
  enum: DescEnum | undefined
  delimitedEncoding: boolean | undefined
  packed: boolean | undefined
  longAsString = false

  constructor(part: FieldPart, parent: DescMessage, oneof: DescOneof | undefined) {
    const camel = protoCamelCase(part.name)
    const isExplicit = oneof !== undefined || part.isOptional || part.type === TYPE_MESSAGE
    this.name = part.name
    this.localName = oneof === undefined ? safeObjectProperty(camel) : camel
    this.jsonName = part.jsonName ?? camel
    this.number = part.number
    this.deprecated = optionOf(part.options, DEPRECATED) === 1
    this.parent = parent
    this.oneof = oneof
    this.presence = isExplicit && !part.isRepeated ? EXPLICIT : IMPLICIT
  }

  get proto(): FieldDescriptorProto {
    return this.parent.proto.field.find(({ number }) => number === this.number) as FieldDescriptorProto
  }

  /** proto3 has none but the zero of the type. */
  getDefaultValue(): undefined {
    return undefined
  }

  toString(): string {
    return `field ${this.parent.typeName}.${this.name}`
  }
}

/** @param mapEntry the type of the entries, where the field is a map */
export function fieldOf(
  part: FieldPart,
  parent: DescMessage,
  oneof: DescOneof | undefined,
  mapEntry: DescMessage | undefined,
  typeOf: TypeOf,
): DescField {
  const field = new Field(part, parent, oneof)
  if (mapEntry !== undefined) becomeMap(field, mapEntry)
  else {
    becomeType(field, part, typeOf)
    if (part.isRepeated) becomeList(field, part)
  }
  return field as DescField
}

function becomeType(field: Field, part: FieldPart, typeOf: TypeOf): void {
  if (part.type === TYPE_MESSAGE) {
    field.fieldKind = 'message'
    field.message = typeOf(part.typeName) as DescMessage
    field.delimitedEncoding = false
  } else if (part.type === TYPE_ENUM) {
    field.fieldKind = 'enum'
    field.enum = typeOf(part.typeName) as DescEnum
  } else {
    field.scalar = part.type
    field.longAsString = optionOf(part.options, JSTYPE) === JS_STRING
  }
}

function becomeList(field: Field, part: FieldPart): void {
  field.listKind = field.fieldKind
  field.fieldKind = 'list'
  const canBePacked = part.type !== TYPE_MESSAGE && part.type !== ScalarType.STRING && part.type !== ScalarType.BYTES
  field.packed = canBePacked && optionOf(part.options, PACKED) !== 0
}

function becomeMap(field: Field, mapEntry: DescMessage): void {
  const [key, value] = mapEntry.fields
  field.fieldKind = 'map'
  field.mapKey = key?.scalar
  field.mapKind = value?.fieldKind
  field.message = value?.message
  field.enum = value?.enum
  field.scalar = value?.scalar
  field.delimitedEncoding = false
}

/** A group of fields of which one at most is set. */
export class Oneof implements DescOneof {
  readonly kind = 'oneof'
  readonly deprecated = false
  readonly name: string
  readonly localName: string
  readonly fields: DescField[] = []
  readonly parent: DescMessage

  /** @param bytes google.protobuf.OneofDescriptorProto */
  constructor(bytes: Uint8Array, parent: DescMessage) {
    this.name = fromBinary(OneofDescriptorProtoSchema, bytes).name
    this.localName = safeObjectProperty(protoCamelCase(this.name))
    this.parent = parent
  }

  get proto(): OneofDescriptorProto {
    return this.parent.proto.oneofDecl.find(({ name }) => name === this.name) as OneofDescriptorProto
  }

  toString(): string {
    return `oneof ${this.parent.typeName}.${this.name}`
  }
}
