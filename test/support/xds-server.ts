import { create, type DescMessage, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterLoadAssignmentSchema } from '../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { ListenerSchema } from '../../api/gen/envoy/config/listener/v3/listener_pb.js'
import { SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { AggregatedDiscoveryService } from '../../api/gen/envoy/service/discovery/v3/ads_pb.js'
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'
import { REGISTRY } from '../../api/registry.ts'
import { TYPE_URL } from '../../api/type-urls.ts'

const SCHEMAS = {
  cluster: ClusterSchema,
  endpoint: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  secret: SecretSchema,
} as const
export type ServedType = keyof typeof SCHEMAS

const TYPES = Object.keys(SCHEMAS) as ServedType[]
const typeOf = (url: string) => TYPES.find((type) => TYPE_URL[type] === url)

interface Held {
  version: string
  bytes: Uint8Array
}

/** What one stream asked for of one type; `*` for all. */
type Asked = Map<ServedType, Set<string>>

type SotwCall = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>
type DeltaCall = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>

/**
 * A management server for tests: it serves what it is given, both ways of the protocol, all types on one stream or secrets
 * on one of their own, and remembers what was asked for and refused.
 */
export class XdsServer {
  readonly refusals: string[] = []
  /** Requests for secrets that came by the service for secrets. */
  secretRequests = 0
  readonly #server = new Server()
  readonly #held: Record<ServedType, Map<string, Held>> = {
    cluster: new Map(),
    endpoint: new Map(),
    listener: new Map(),
    secret: new Map(),
  }
  readonly #streams = new Map<(type: ServedType, names: readonly string[]) => void, Asked>()
  #version = 0
  port = 0

  async start(): Promise<this> {
    const ads = serviceDefinition(AggregatedDiscoveryService)
    const [sotw, delta] = [ads.streamAggregatedResources!, ads.deltaAggregatedResources!]
    this.#server.addService(ads, {
      streamAggregatedResources: (call: SotwCall) => this.#onSotw(call),
      deltaAggregatedResources: (call: DeltaCall) => this.#onDelta(call),
    })
    const service = '/envoy.service.secret.v3.SecretDiscoveryService'
    this.#server.addService(
      {
        streamSecrets: { ...sotw, path: `${service}/StreamSecrets` },
        deltaSecrets: { ...delta, path: `${service}/DeltaSecrets` },
      },
      {
        streamSecrets: (call: SotwCall) => this.#onSotw(call, 'secret'),
        deltaSecrets: (call: DeltaCall) => this.#onDelta(call, 'secret'),
      },
    )
    this.port = await new Promise<number>((resolve, reject) => {
      const onBound = (error: Error | null, port: number) => (error === null ? resolve(port) : reject(error))
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), onBound)
    })
    return this
  }

  stop(): void {
    this.#server.forceShutdown()
  }

  /** Serves a resource, written as JSON with the names of the proto's fields, from now on. */
  set(type: ServedType, name: string, json: object): void {
    this.#version++
    const schema: DescMessage = SCHEMAS[type]
    const nameField = type === 'endpoint' ? 'cluster_name' : 'name'
    const message = fromJson(schema, { [nameField]: name, ...json } as JsonValue, { registry: REGISTRY })
    this.#held[type].set(name, { version: String(this.#version), bytes: toBinary(schema, message) })
    for (const send of this.#streams.keys()) send(type, [name])
  }

  /** Serves it no longer. Only who asks for the state of the world is told. */
  remove(type: ServedType, name: string): void {
    this.#version++
    this.#held[type].delete(name)
    for (const send of this.#streams.keys()) send(type, [])
  }

  /** The names of a type that streams ask for now. */
  asked(type: ServedType): string[] {
    return [...this.#streams.values()].flatMap((asked) => [...(asked.get(type) ?? [])]).sort()
  }

  #onSotw(call: SotwCall, only?: ServedType): void {
    const asked: Asked = new Map()
    const send = (type: ServedType) => {
      const names = asked.get(type)
      if (names === undefined) return
      const resources = [...this.#held[type]]
        .filter(([name]) => names.has('*') || names.has(name))
        .map(([, { bytes }]) => ({ typeUrl: TYPE_URL[type], value: bytes }))
      if (type === 'secret' && resources.length === 0) return
      const versionInfo = String(this.#version)
      const nonce = `n${this.#version}`
      call.write(create(DiscoveryResponseSchema, { typeUrl: TYPE_URL[type], versionInfo, nonce, resources }))
    }
    this.#open(call, send, asked)
    call.on('data', (request: DiscoveryRequest) => {
      const type = typeOf(request.typeUrl)
      if (request.errorDetail !== undefined) this.refusals.push(request.errorDetail.message)
      if (type === undefined) return
      if (only !== undefined) this.secretRequests++
      const names = new Set(request.resourceNames.length > 0 || type === 'secret' ? request.resourceNames : ['*'])
      const before = asked.get(type)
      asked.set(type, names)
      if (before === undefined || [...names].some((name) => !before.has(name))) send(type)
    })
  }

  #onDelta(call: DeltaCall, only?: ServedType): void {
    const asked: Asked = new Map()
    const send = (type: ServedType, names: readonly string[]) => {
      const wanted = asked.get(type)
      const resources = names.flatMap((name) => {
        const held = this.#held[type].get(name)
        if (held === undefined || !(wanted?.has('*') || wanted?.has(name))) return []
        return [{ name, version: held.version, resource: { typeUrl: TYPE_URL[type], value: held.bytes } }]
      })
      if (wanted === undefined || (type === 'secret' && resources.length === 0)) return
      const nonce = `n${this.#version}`
      call.write(create(DeltaDiscoveryResponseSchema, { typeUrl: TYPE_URL[type], nonce, resources }))
    }
    this.#open(call, send, asked)
    call.on('data', (request: DeltaDiscoveryRequest) => {
      const type = typeOf(request.typeUrl)
      if (request.errorDetail !== undefined) this.refusals.push(request.errorDetail.message)
      if (type === undefined) return
      if (only !== undefined) this.secretRequests++
      const names = asked.get(type) ?? new Set()
      asked.set(type, names)
      for (const name of request.resourceNamesUnsubscribe) names.delete(name)
      for (const name of request.resourceNamesSubscribe) names.add(name)
      const news = request.resourceNamesSubscribe
      if (news.length > 0) send(type, news.includes('*') ? [...this.#held[type].keys()] : news)
    })
  }

  #open(call: SotwCall | DeltaCall, send: (type: ServedType, names: readonly string[]) => void, asked: Asked): void {
    this.#streams.set(send, asked)
    call.on('error', () => {})
    call.on('end', () => call.end())
    for (const event of ['cancelled', 'close', 'end']) call.on(event, () => this.#streams.delete(send))
  }
}
