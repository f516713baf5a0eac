import type { PeerCertificate, SecureContext } from 'node:tls'
import {
  type Client,
  type ClientDuplexStream,
  credentials,
  Client as GrpcClient,
  Metadata,
  type MethodDefinition,
} from '@grpc/grpc-js'
import type { Node } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { AggregatedDiscoveryService } from '../../api/gen/envoy/service/discovery/v3/ads_pb.js'
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'

const SERVICE = serviceDefinition(AggregatedDiscoveryService)
/** A dead connection is noticed within this and the time-out (Envoy recommends keepalive on the xDS cluster). */
const KEEPALIVE_TIME_MS = 30_000
const KEEPALIVE_TIMEOUT_MS = 10_000
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024
/** A whole route table comes without waiting for us to ask on. HTTP/2's own 64 KiB would take as many turns as it has of those. */
const WINDOW_BYTES = 16 * 1024 * 1024

export type SotwStream = ClientDuplexStream<DiscoveryRequest, DiscoveryResponse>
export type DeltaStream = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>

export interface ManagementServer {
  /** `host:port`. */
  readonly target: string
  readonly useDelta: boolean
  readonly node: Node
  /** What is asked there: everything on one stream, or secrets alone. */
  readonly service: 'aggregated' | 'secrets'
  /** TLS, asked for anew with each stream; without it the connection is plain. May throw. */
  readonly secure?: () => SecureChannel
  /** Sent with each stream, and asked for anew. May throw. */
  readonly headers?: () => readonly (readonly [name: string, value: string])[]
}

export interface SecureChannel {
  readonly context: SecureContext
  /** What is asked for by SNI; '' for the name of the target. */
  readonly serverName: string
  /** Why it is not the server that was meant; undefined when it is. `host` is the name asked for, or that of the target. */
  checkServer(host: string, certificate: PeerCertificate): Error | undefined
}

/** Method names; what is sent over them has the same types (envoy/service/secret/v3/sds.proto). */
const SECRETS = {
  sotw: '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
  delta: '/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets',
}

const OPTIONS = {
  'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc-node.flow_control_window': WINDOW_BYTES,
  // Reconnecting is paced by the xDS client; the channel must not wait longer than it.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
}

/** The gRPC channel to the management server: a plain one is kept, one with TLS made anew for each stream, with the roots of then. */
export class AdsTransport {
  readonly #server: ManagementServer
  #client: Client | undefined

  constructor(server: ManagementServer) {
    this.#server = server
  }

  /** Throws when what is needed to call cannot be read. */
  openSotw(): SotwStream {
    return this.#open(SERVICE.streamAggregatedResources!, SECRETS.sotw) as SotwStream
  }

  /** Throws when what is needed to call cannot be read. */
  openDelta(): DeltaStream {
    return this.#open(SERVICE.deltaAggregatedResources!, SECRETS.delta) as DeltaStream
  }

  close(): void {
    this.#client?.close()
  }

  #open(method: MethodDefinition<unknown, unknown>, secretsPath: string) {
    const { service, headers } = this.#server
    const metadata = new Metadata()
    for (const [name, value] of headers?.() ?? []) metadata.add(name, value)
    const path = service === 'secrets' ? secretsPath : method.path
    const client = this.#connected()
    return client.makeBidiStreamRequest(path, method.requestSerialize, method.responseDeserialize, metadata)
  }

  #connected(): Client {
    const { target, secure } = this.#server
    if (secure === undefined) {
      this.#client ??= new GrpcClient(target, credentials.createInsecure(), OPTIONS)
      return this.#client
    }
    const { context, serverName, checkServer } = secure()
    this.#client?.close()
    this.#client = new GrpcClient(
      target,
      credentials.createFromSecureContext(context, { checkServerIdentity: checkServer }),
      { ...OPTIONS, ...(serverName !== '' && { 'grpc.ssl_target_name_override': serverName }) },
    )
    return this.#client
  }
}
