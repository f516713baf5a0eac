import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  create,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescOneof,
  type DescService,
  fromJson,
  toBinary,
} from '@bufbuild/protobuf'
import { fileDesc as fileDescOfLibrary } from '@bufbuild/protobuf/codegenv2'
import { base64Encode } from '@bufbuild/protobuf/wire'
import { FieldDescriptorProtoSchema, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { expect, test } from '@jest/globals'
import { REGISTRY } from '../registry.ts'
import { copyOfFile, fileDesc } from './file-desc.ts'

const GEN = fileURLToPath(new URL('../gen', import.meta.url))

async function generatedFiles(): Promise<DescFile[]> {
  const paths = readdirSync(GEN, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('_pb.js'))
  const modules = await Promise.all(paths.map((path) => import(`${GEN}/${path}`)))
  return modules.flatMap((module) => Object.values(module as object).filter((value) => value?.kind === 'file'))
}

/** The same file as protobuf-es makes it, with all that it imports. */
function ofLibrary(file: DescFile, made: Map<string, DescFile>): DescFile {
  const known = made.get(file.name)
  if (known !== undefined) return known
  const imports = file.dependencies.map((dependency) => ofLibrary(dependency, made))
  const copy = fileDescOfLibrary(base64Encode(toBinary(FileDescriptorProtoSchema, file.proto)), imports)
  made.set(file.name, copy)
  return copy
}

/*
 * All that a descriptor says, with its neighbours by their names: they refer to one another without end.
 */

const fileShape = (file: DescFile) => ({
  ...pick(file, ['kind', 'name', 'edition', 'deprecated', 'proto']),
  text: String(file),
  dependencies: file.dependencies.map(String),
  enums: file.enums.map(enumShape),
  messages: file.messages.map(messageShape),
  extensions: file.extensions,
  services: file.services.map(serviceShape),
})

const enumShape = (desc: DescEnum): object => ({
  ...pick(desc, ['kind', 'name', 'typeName', 'open', 'deprecated', 'sharedPrefix', 'proto']),
  text: String(desc),
  at: [String(desc.file), String(desc.parent)],
  values: desc.values.map((value) => ({
    ...pick(value, ['kind', 'name', 'localName', 'number', 'jsonName', 'deprecated', 'proto']),
    text: String(value),
    parent: String(value.parent),
  })),
  value: Object.entries(desc.value).map(([number, value]) => [number, String(value)]),
})

const messageShape = (desc: DescMessage): object => ({
  ...pick(desc, ['kind', 'name', 'typeName', 'deprecated', 'nestedExtensions', 'proto']),
  text: String(desc),
  at: [String(desc.file), String(desc.parent)],
  fields: desc.fields.map(fieldShape),
  field: Object.entries(desc.field).map(([name, field]) => [name, String(field)]),
  oneofs: desc.oneofs.map(oneofShape),
  members: desc.members.map(String),
  nestedEnums: desc.nestedEnums.map(enumShape),
  nestedMessages: desc.nestedMessages.map(messageShape),
})

const FIELD = [
  'kind',
  'name',
  'localName',
  'jsonName',
  'number',
  'deprecated',
  'presence',
  'utf8Validation',
  'proto',
] as const
const KIND = [
  'fieldKind',
  'listKind',
  'mapKind',
  'mapKey',
  'scalar',
  'delimitedEncoding',
  'packed',
  'longAsString',
] as const

const fieldShape = (field: DescField) => ({
  ...pick(field, FIELD),
  ...pick(field as unknown as Record<(typeof KIND)[number], unknown>, KIND),
  text: String(field),
  refers: [field.parent, field.oneof, field.message, field.enum].map(String),
  default: field.fieldKind === 'list' || field.fieldKind === 'map' ? undefined : field.getDefaultValue(),
})

const oneofShape = (oneof: DescOneof) => ({
  ...pick(oneof, ['kind', 'name', 'localName', 'deprecated', 'proto']),
  text: String(oneof),
  parent: String(oneof.parent),
  fields: oneof.fields.map(String),
})

const serviceShape = (service: DescService) => ({
  ...pick(service, ['kind', 'name', 'typeName', 'deprecated', 'proto']),
  text: String(service),
  file: String(service.file),
  method: Object.entries(service.method).map(([name, method]) => [name, String(method)]),
  methods: service.methods.map((method) => ({
    ...pick(method, ['kind', 'name', 'localName', 'methodKind', 'idempotency', 'deprecated', 'proto']),
    text: String(method),
    refers: [method.parent, method.input, method.output].map(String),
  })),
})

function pick<T, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, from[key]])) as Pick<T, K>
}

test("every generated file is what protobuf-es's own descriptor of it is, and so is a copy of it", async () => {
  const files = await generatedFiles()
  expect(files.length).toBeGreaterThan(100)
  const made = new Map<string, DescFile>()
  const copies = new Map<DescFile, DescFile>()
  for (const file of files) {
    const wanted = fileShape(ofLibrary(file, made))
    expect(fileShape(file)).toEqual(wanted)
    expect(fileShape(copyOfFile(file, copies))).toEqual(wanted)
  }
})

/** What Envoy's API has nothing of. */
const ODD = fromJson(FileDescriptorProtoSchema, {
  name: 'odd.proto',
  syntax: 'proto3',
  messageType: [
    {
      name: 'Odd',
      options: { deprecated: true },
      field: [
        { name: 'constructor', number: 1, label: 'LABEL_OPTIONAL', type: 'TYPE_BYTES', options: { deprecated: true } },
        { name: 'to_string', number: 2, label: 'LABEL_REPEATED', type: 'TYPE_INT64', options: { packed: false } },
        { name: 'text', number: 3, label: 'LABEL_OPTIONAL', type: 'TYPE_INT64', options: { jstype: 'JS_STRING' } },
        { name: 'maybe', number: 4, label: 'LABEL_OPTIONAL', type: 'TYPE_BOOL', oneofIndex: 0, proto3Optional: true },
        { name: 'named', number: 5, label: 'LABEL_OPTIONAL', type: 'TYPE_BOOL', jsonName: 'another' },
        { name: 'level', number: 6, label: 'LABEL_REPEATED', type: 'TYPE_ENUM', typeName: '.Level' },
      ],
      oneofDecl: [{ name: '_maybe' }],
    },
  ],
  enumType: [
    {
      name: 'Level',
      value: [
        { name: 'LEVEL_LOW', number: 0 },
        { name: 'LEVEL_1', number: 1 },
      ],
    },
    {
      name: 'Twice',
      options: { allowAlias: true },
      value: [
        { name: 'TWICE_A', number: 0, options: { deprecated: true } },
        { name: 'TWICE_B', number: 0 },
      ],
    },
  ],
})

test('what Envoy does not use is as protobuf-es has it too', () => {
  const lazy = fileDesc(base64Encode(toBinary(FileDescriptorProtoSchema, ODD)))
  expect(fileShape(lazy)).toEqual(fileShape(ofLibrary(lazy, new Map())))
})

test.each([
  ['not of proto3', { syntax: 'proto2' }, /odd\.proto is not of proto3/],
  ['with an extension', { extension: [create(FieldDescriptorProtoSchema)] }, /odd\.proto has an extension/],
])('a file %s is refused', (_what, fields, error) => {
  expect(() => fileDesc(base64Encode(toBinary(FileDescriptorProtoSchema, { ...ODD, ...fields })))).toThrow(error)
})

test('a file without an import that it needs says which type it misses', () => {
  const cluster = REGISTRY.getMessage('envoy.config.cluster.v3.Cluster') as DescMessage
  const alone = fileDesc(base64Encode(toBinary(FileDescriptorProtoSchema, cluster.file.proto)))
  expect(() => alone.messages.map(({ fields }) => fields)).toThrow(
    /cluster\.proto names xds\.core\.v3\.CollectionEntry, which neither/,
  )
})
