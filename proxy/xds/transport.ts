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
}

/** One gRPC channel to the management server. */
export class AdsTransport {
  readonly #client: Client

  constructor(target: string) {
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
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
    ) as SotwStream
  }

  openDelta(): DeltaStream {
    const method = SERVICE.deltaAggregatedResources!
    return this.#client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
    ) as DeltaStream
  }

  close(): void {
    this.#client.close()
  }
}
