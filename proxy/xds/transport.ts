import { type Client, type ClientDuplexStream, credentials, Client as GrpcClient } from '@grpc/grpc-js'
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
}

/** Method names; what is sent over them has the same types (envoy/service/secret/v3/sds.proto). */
const SECRETS = {
  sotw: '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
  delta: '/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets',
}

/** One gRPC channel to the management server. */
export class AdsTransport {
  readonly #client: Client
  readonly #onlySecrets: boolean

  constructor({ target, service }: ManagementServer) {
    this.#onlySecrets = service === 'secrets'
    this.#client = new GrpcClient(target, credentials.createInsecure(), {
      'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc-node.flow_control_window': WINDOW_BYTES,
      // Reconnecting is paced by the xDS client; the channel must not wait longer than it.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
    })
  }

  openSotw(): SotwStream {
    const method = SERVICE.streamAggregatedResources!
    return this.#client.makeBidiStreamRequest(
      this.#onlySecrets ? SECRETS.sotw : method.path,
      method.requestSerialize,
      method.responseDeserialize,
    ) as SotwStream
  }

  openDelta(): DeltaStream {
    const method = SERVICE.deltaAggregatedResources!
    return this.#client.makeBidiStreamRequest(
      this.#onlySecrets ? SECRETS.delta : method.path,
      method.requestSerialize,
      method.responseDeserialize,
    ) as DeltaStream
  }

  close(): void {
    this.#client.close()
  }
}
