import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  fromBinary,
} from '@bufbuild/protobuf'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { LazyEnum } from './enum-desc.ts'
import type { TypeOf } from './field-desc.ts'
import { LazyMessage, withJsonNames } from './message-desc.ts'
import { optionOf } from './options.ts'
import { partsOf } from './parts.ts'
import { serviceOf } from './service-desc.ts'
import { typesIn } from './types-in.ts'

/** The field of google.protobuf.FileDescriptorProto that has the services. */
const SERVICE = 6
/** `deprecated` of google.protobuf.FileOptions. */
const DEPRECATED = 23
/** google.protobuf.Edition */
const PROTO3 = 999

/**
 * What generated files call in the place of protobuf-es's own function, and with the same result (the test holds each of
 * ours to it). That one makes all of a file's fields at once, and keeps beside them the messages it makes them of: for
 * Envoy's API a quarter of what V8 held for an idle proxy and of the time in which one starts, for fields that are not used.
 *
 * @param base64 google.protobuf.FileDescriptorProto of a proto3 file without extensions; throws Error for another
 */
export function fileDesc(base64: string, imports: DescFile[] = []): DescFile {
  return new LazyFile(Buffer.from(base64, 'base64'), imports)
}

/**
 * A file and all that it imports, for a use after which they can be forgotten with what protobuf-es keeps for each message:
 * readers and writers of it, and of all messages that its fields lead to. Files of protobuf-es itself stay the same.
 */
export function copyOfFile(file: DescFile, copies = new Map<DescFile, DescFile>()): DescFile {
  if (!(file instanceof LazyFile)) return file
  let copy = copies.get(file)
  if (copy === undefined) {
    copy = file.copy(file.dependencies.map((dependency) => copyOfFile(dependency, copies)))
    copies.set(file, copy)
  }
  return copy
}

class LazyFile implements DescFile {
  readonly kind = 'file'
  readonly edition = PROTO3
  readonly name: string
  readonly deprecated: boolean
  readonly dependencies: DescFile[]
  readonly enums: DescEnum[] = []
  readonly messages: DescMessage[] = []
  readonly #bytes: Uint8Array
  readonly #package: string
  #services: DescService[] | undefined

  constructor(bytes: Uint8Array, imports: DescFile[]) {
    let name = ''
    let scope = ''
    let syntax = ''
    let options: Uint8Array | undefined
    const enums: Uint8Array[] = []
    const messages: Uint8Array[] = []
    const reader = new BinaryReader(bytes)
    while (reader.pos < reader.len) {
      const [no, wireType] = reader.tag()
      if (no === 1) name = reader.string()
      else if (no === 2) scope = `${reader.string()}.`
      else if (no === 4) messages.push(reader.bytes())
      else if (no === 5) enums.push(reader.bytes())
      else if (no === 7) throw new Error(`${name} has an extension, which a lazy descriptor does not know`)
      else if (no === 8) options = reader.bytes()
      else if (no === 12) syntax = reader.string()
      else reader.skip(wireType, no)
    }
    if (syntax !== 'proto3') throw new Error(`${name} is not of proto3, the one syntax that a lazy descriptor knows`)
    this.name = name.replace(/\.proto$/, '')
    this.deprecated = optionOf(options, DEPRECATED) === 1
    this.dependencies = imports
    this.#bytes = bytes
    this.#package = scope
    for (const part of enums) this.enums.push(new LazyEnum(part, scope, this, undefined))
    for (const part of messages) this.messages.push(new LazyMessage(part, scope, this, undefined, this.#typeOf))
  }

  get services(): DescService[] {
    this.#services ??= partsOf(this.#bytes, SERVICE).map((part) => serviceOf(part, this.#package, this, this.#typeOf))
    return this.#services
  }

  get extensions(): DescExtension[] {
    return []
  }

  get proto(): FileDescriptorProto {
    const proto = fromBinary(FileDescriptorProtoSchema, this.#bytes)
    proto.messageType.forEach(withJsonNames)
    proto.dependency = this.dependencies.map((file) => `${file.name}.proto`)
    return proto
  }

  copy(imports: DescFile[]): LazyFile {
    return new LazyFile(this.#bytes, imports)
  }

  toString(): string {
    return `file ${this.name}.proto`
  }

  /** A field's type is of its own file, or of one that this imports (no proto of ours imports publicly). */
  readonly #typeOf: TypeOf = (name) => {
    for (const file of [this, ...this.dependencies]) {
      const type = typesOf(file).get(name)
      if (type !== undefined) return type
    }
    throw new Error(`${this.name}.proto names ${name}, which neither it nor its imports have`)
  }
}

const typesByFile = new WeakMap<DescFile, ReadonlyMap<string, DescMessage | DescEnum>>()

/** By their whole names. */
function typesOf(file: DescFile): ReadonlyMap<string, DescMessage | DescEnum> {
  let types = typesByFile.get(file)
  if (types === undefined) {
    types = new Map([...typesIn(file)].map((type) => [type.typeName, type]))
    typesByFile.set(file, types)
  }
  return types
}
