import { type DescFile, type DescMessage, type DescMethod, type DescService, fromBinary } from '@bufbuild/protobuf'
import { safeObjectProperty } from '@bufbuild/protobuf/reflect'
import {
  type MethodDescriptorProto,
  type ServiceDescriptorProto,
  ServiceDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt'
import type { TypeOf } from './field-desc.ts'

/** Made when a file's services are asked for. */
export function serviceOf(bytes: Uint8Array, scope: string, file: DescFile, typeOf: TypeOf): DescService {
  const proto = fromBinary(ServiceDescriptorProtoSchema, bytes)
  const service = new Service(proto, scope, file)
  for (const part of proto.method) service.add(methodOf(part, service, typeOf))
  return service
}

class Service implements DescService {
  readonly kind = 'service'
  readonly name: string
  readonly typeName: string
  readonly deprecated: boolean
  readonly file: DescFile
  readonly methods: DescMethod[] = []
  readonly method: Record<string, DescMethod> = {}
  readonly proto: ServiceDescriptorProto

  constructor(proto: ServiceDescriptorProto, scope: string, file: DescFile) {
    this.name = proto.name
    this.typeName = scope + proto.name
    this.deprecated = proto.options?.deprecated ?? false
    this.file = file
    this.proto = proto
  }

  add(method: DescMethod): void {
    this.methods.push(method)
    this.method[method.localName] = method
  }

  toString(): string {
    return `service ${this.typeName}`
  }
}

function methodOf(proto: MethodDescriptorProto, parent: DescService, typeOf: TypeOf): DescMethod {
  const { name } = proto
  const messageOf = (typeName: string) => typeOf(typeName.replace(/^\./, '')) as DescMessage
  return {
    kind: 'rpc',
    proto,
    deprecated: proto.options?.deprecated ?? false,
    parent,
    name,
    localName: safeObjectProperty(name.slice(0, 1).toLowerCase() + name.slice(1)),
    methodKind: methodKindOf(proto),
    input: messageOf(proto.inputType),
    output: messageOf(proto.outputType),
    idempotency: proto.options?.idempotencyLevel ?? 0,
    toString: () => `rpc ${parent.typeName}.${name}`,
  }
}

function methodKindOf({ clientStreaming, serverStreaming }: MethodDescriptorProto): DescMethod['methodKind'] {
  if (clientStreaming) return serverStreaming ? 'bidi_streaming' : 'client_streaming'
  return serverStreaming ? 'server_streaming' : 'unary'
}
