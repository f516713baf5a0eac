import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js'
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

export type Variant = 'delta' | 'sotw' | 'vhds'

/** Names are read once for all clients: what is measured is the pilot, and the clients share its machine. */
const nameCache = new Map<string, string[]>()

function routeNames(bytes: Uint8Array): string[] {
  const key = Buffer.from(bytes).toString('latin1')
  let names = nameCache.get(key)
  if (names === undefined) {
    names = routeNamesOf(compileListener(fromBinary(ListenerSchema, bytes)))
    nameCache.set(key, names)
  }
  return names
}

function edsName(bytes: Uint8Array): string[] {
  const key = Buffer.from(bytes).toString('latin1')
  let names = nameCache.get(key)
  if (names === undefined) {
    const cluster = fromBinary(ClusterSchema, bytes)
    names = cluster.edsClusterConfig === undefined ? [] : [cluster.edsClusterConfig.serviceName || cluster.name]
    nameCache.set(key, names)
  }
  return names
}

const NOTHING = new Uint8Array()
/** All clients ask for the same, so as many names are the same names. */
const encodedNames = new Map<string, Uint8Array>()

/** A proxy as far as the pilot can tell: subscribes, asks for what it is told of, acknowledges everything. */
export class BenchClient {
  readonly #client: Client
  readonly #variant: Variant
  readonly #stream: ClientDuplexStream<Buffer, Buffer>
  /** Sent once a stream, as Istio's bootstrap asks of Envoy (`set_node_on_first_message_only`). */
  #node: Node | undefined
  readonly #names = new Map<string, Set<string>>()
  receivedBytes = 0
  responses = 0
  lastAckMs = 0
  readonly typesSeen = new Set<string>()

  constructor(target: string, variant: Variant, index: number) {
    this.#variant = variant
    this.#client = new Client(target, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.use_local_subchannel_pool': 1,
      // As Envoy and our proxy announce it.
      'grpc-node.flow_control_window': 16 * 1024 * 1024,
    })
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
    const pass = (bytes: Buffer) => bytes
    this.#stream = this.#client.makeBidiStreamRequest(
      `/envoy.service.discovery.v3.AggregatedDiscoveryService/${method}`,
      pass,
      pass,
    )
    this.#stream.on('data', (bytes: Buffer) => this.#onResponse(bytes))
    this.#stream.on('error', () => {})
    this.#subscribe(TYPE_URL.cluster, [])
    this.#subscribe(TYPE_URL.listener, [])
  }

  close(): void {
    this.#stream.cancel()
    this.#client.close()
  }

  #onResponse(bytes: Buffer): void {
    this.receivedBytes += bytes.length
    this.responses++
    if (this.#variant === 'sotw') {
      const response = fromBinary(DiscoveryResponseSchema, bytes)
      this.typesSeen.add(response.typeUrl)
      this.#write({
        typeUrl: response.typeUrl,
        versionInfo: response.versionInfo,
        responseNonce: response.nonce,
      })
      this.#follow(
        response.typeUrl,
        response.resources.map((r) => r.value),
        response.nonce,
      )
    } else {
      const response = fromBinary(DeltaDiscoveryResponseSchema, bytes)
      this.typesSeen.add(response.typeUrl)
      this.#write({ typeUrl: response.typeUrl, responseNonce: response.nonce })
      this.#follow(
        response.typeUrl,
        response.resources.map((r) => r.resource?.value ?? new Uint8Array()),
        '',
      )
    }
    this.lastAckMs = performance.now()
  }

  /** Clusters name endpoints, listeners name route tables. */
  #follow(typeUrl: string, resources: readonly Uint8Array[], _nonce: string): void {
    if (typeUrl === TYPE_URL.cluster) this.#subscribe(TYPE_URL.endpoint, resources.flatMap(edsName))
    if (typeUrl === TYPE_URL.listener) this.#subscribe(TYPE_URL.route, resources.flatMap(routeNames))
    if (typeUrl === TYPE_URL.route && this.#variant === 'vhds') this.#subscribe(TYPE_URL.virtualHost, ['*'])
  }

  #subscribe(typeUrl: string, names: readonly string[]): void {
    const known = this.#names.get(typeUrl)
    const added = names.filter((name) => !known?.has(name))
    if (known !== undefined && added.length === 0) return
    this.#names.set(typeUrl, new Set([...(known ?? []), ...names]))
    if (this.#variant === 'sotw') this.#write({ typeUrl })
    else this.#write({ typeUrl, resourceNamesSubscribe: [...added] })
  }

  #write(fields: { typeUrl: string; [name: string]: unknown }): void {
    const schema = this.#variant === 'sotw' ? DiscoveryRequestSchema : DeltaDiscoveryRequestSchema
    const message = toBinary(schema, create(schema, { ...fields, node: this.#node } as never) as never)
    this.#node = undefined
    this.#stream.write(Buffer.concat([message, this.#encodedNames(fields.typeUrl)]))
  }

  /** State of the world: every request repeats all names. A field by itself is a message too, and may follow others. */
  #encodedNames(typeUrl: string): Uint8Array {
    const names = this.#names.get(typeUrl)
    if (this.#variant !== 'sotw' || names === undefined) return NOTHING
    const key = `${typeUrl} ${names.size}`
    let bytes = encodedNames.get(key)
    if (bytes === undefined) {
      bytes = toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { resourceNames: [...names] }))
      encodedNames.set(key, bytes)
    }
    return bytes
  }
}
