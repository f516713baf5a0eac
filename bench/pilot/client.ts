import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { type Node, NodeSchema } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { ListenerSchema } from '../../api/gen/envoy/config/listener/v3/listener_pb.js'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import { formatNodeId } from '../../api/node.ts'
import { TYPE_URL } from '../../api/type-urls.ts'
import { compileListener } from '../../proxy/plan/compile/listener.ts'
import { routeNamesOf } from '../../proxy/xds/assemble.ts'
import { GrpcStream } from './grpc-stream.ts'

export type Variant = 'delta' | 'sotw' | 'vhds'

/** What a resource or a list of them names. All clients are sent the same, so it is read once for each version. */
const nameCache = new Map<string, readonly string[]>()

function namesIn(version: string, read: () => readonly string[]): readonly string[] {
  let names = nameCache.get(version)
  if (names === undefined) {
    names = read()
    nameCache.set(version, names)
  }
  return names
}

function routeNames(bytes: Uint8Array): string[] {
  return routeNamesOf(compileListener(fromBinary(ListenerSchema, bytes)))
}

function edsName(bytes: Uint8Array): string[] {
  const cluster = fromBinary(ClusterSchema, bytes)
  return cluster.edsClusterConfig === undefined ? [] : [cluster.edsClusterConfig.serviceName || cluster.name]
}

/** Clusters name endpoints, listeners name route tables. */
const FOLLOWED = new Map<string, { type: string; read: (bytes: Uint8Array) => string[] }>([
  [TYPE_URL.cluster, { type: TYPE_URL.endpoint, read: edsName }],
  [TYPE_URL.listener, { type: TYPE_URL.route, read: routeNames }],
])

const NOTHING = new Uint8Array()
/** All clients ask for the same, so as many names are the same names. */
const encodedNames = new Map<string, Uint8Array>()

/** A proxy as far as the pilot can tell: subscribes, asks for what it is told of, acknowledges everything. */
export class BenchClient {
  readonly #variant: Variant
  readonly #stream: GrpcStream
  /** Sent once a stream, as Istio's bootstrap asks of Envoy (`set_node_on_first_message_only`). */
  #node: Node | undefined
  readonly #names = new Map<string, readonly string[]>()
  receivedBytes = 0
  responses = 0
  lastAckMs = 0
  readonly typesSeen = new Set<string>()

  constructor(target: string, variant: Variant, index: number) {
    this.#variant = variant
    const method = variant === 'sotw' ? 'StreamAggregatedResources' : 'DeltaAggregatedResources'
    this.#node = create(NodeSchema, {
      id: formatNodeId({
        type: 'sidecar',
        ip: `10.200.${index >> 8}.${index & 255}`,
        name: `client-${index}`,
        namespace: 'default',
        domain: 'cluster.local',
      }),
      metadata: { NAMESPACE: 'default', LABELS: { app: 'client' } },
      clientFeatures: variant === 'vhds' ? ['lateen.vhds'] : [],
    })
    const path = `/envoy.service.discovery.v3.AggregatedDiscoveryService/${method}`
    this.#stream = new GrpcStream(target, path, (bytes) => this.#onResponse(bytes))
    this.#subscribe(TYPE_URL.cluster, [])
    this.#subscribe(TYPE_URL.listener, [])
  }

  close(): void {
    this.#stream.close()
  }

  #onResponse(bytes: Buffer): void {
    this.receivedBytes += bytes.length
    this.responses++
    if (this.#variant === 'sotw') {
      const { typeUrl, versionInfo, nonce, resources } = fromBinary(DiscoveryResponseSchema, bytes)
      this.typesSeen.add(typeUrl)
      this.#write({ typeUrl, versionInfo, responseNonce: nonce })
      this.#follow(typeUrl, (read) =>
        namesIn(`${typeUrl} ${versionInfo}`, () => resources.flatMap(({ value }) => read(value))),
      )
    } else {
      const { typeUrl, nonce, resources } = fromBinary(DeltaDiscoveryResponseSchema, bytes)
      this.typesSeen.add(typeUrl)
      this.#write({ typeUrl, responseNonce: nonce })
      this.#follow(typeUrl, (read) =>
        resources.flatMap(({ name, version, resource }) =>
          namesIn(`${typeUrl} ${name} ${version}`, () => (resource === undefined ? [] : read(resource.value))),
        ),
      )
    }
    this.lastAckMs = performance.now()
  }

  #follow(typeUrl: string, namesBy: (read: (bytes: Uint8Array) => string[]) => readonly string[]): void {
    const followed = FOLLOWED.get(typeUrl)
    if (followed !== undefined) this.#subscribe(followed.type, namesBy(followed.read))
    if (typeUrl === TYPE_URL.route && this.#variant === 'vhds') this.#subscribe(TYPE_URL.virtualHost, ['*'])
  }

  #subscribe(typeUrl: string, names: readonly string[]): void {
    const known = this.#names.get(typeUrl)
    const isKnown = known === undefined ? undefined : new Set(known)
    const added = isKnown === undefined ? names : names.filter((name) => !isKnown.has(name))
    if (known !== undefined && added.length === 0) return
    this.#names.set(typeUrl, known === undefined ? names : [...known, ...added])
    if (this.#variant === 'sotw') this.#write({ typeUrl })
    else this.#write({ typeUrl, resourceNamesSubscribe: [...added] })
  }

  #write(fields: { typeUrl: string; [name: string]: unknown }): void {
    const schema = this.#variant === 'sotw' ? DiscoveryRequestSchema : DeltaDiscoveryRequestSchema
    const message = toBinary(schema, create(schema, { ...fields, node: this.#node } as never) as never)
    this.#node = undefined
    this.#stream.write(message, this.#encodedNames(fields.typeUrl))
  }

  /** State of the world: every request repeats all names. A field by itself is a message too, and may follow others. */
  #encodedNames(typeUrl: string): Uint8Array {
    const names = this.#names.get(typeUrl)
    if (this.#variant !== 'sotw' || names === undefined) return NOTHING
    const key = `${typeUrl} ${names.length}`
    let bytes = encodedNames.get(key)
    if (bytes === undefined) {
      bytes = toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { resourceNames: [...names] }))
      encodedNames.set(key, bytes)
    }
    return bytes
  }
}
