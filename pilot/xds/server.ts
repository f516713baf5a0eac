import { fromBinary } from '@bufbuild/protobuf'
import {
  status as GrpcStatus,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { VHDS_CLIENT_FEATURE } from '../../api/client-features.ts'
import type { Node } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { AggregatedDiscoveryService } from '../../api/gen/envoy/service/discovery/v3/ads_pb.js'
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
} from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import type { SpiffeId } from '../../api/spiffe.ts'
import { isTypeUrl, SHORT_TYPE, type TypeUrl } from '../../api/type-urls.ts'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import { createLogger, type Logger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { disagreement } from './agreement.ts'
import { DeltaStream } from './delta-stream.ts'
import type { Message } from './message.ts'
import { xdsMetrics } from './metrics.ts'
import { writePieces } from './pieces.ts'
import { decodeSotwRequest, type SotwRequest } from './sotw-request.ts'
import { SotwStream } from './sotw-stream.ts'
import type { StreamSink, XdsCounters, XdsStream } from './stream.ts'
import { VhdsView } from './vhds.ts'
import type { NodeIdentity, ResourceView, ViewSource } from './view.ts'

const SERVICE_PATH = `/${AggregatedDiscoveryService.typeName}`
/** How many streams get a new generation before the event loop breathes. */
const PUSH_BATCH = 25

/** Responses are encoded already, and are only joined for gRPC when they cannot be written in pieces. */
const SERVICE: ServiceDefinition = {
  streamAggregatedResources: {
    path: `${SERVICE_PATH}/StreamAggregatedResources`,
    requestStream: true,
    responseStream: true,
    requestSerialize: (value: Buffer) => value,
    // Decoded by who knows what the stream said before.
    requestDeserialize: (bytes) => bytes,
    responseSerialize: (message: Message) => message.bytes(),
    responseDeserialize: (bytes) => bytes,
  },
  deltaAggregatedResources: {
    path: `${SERVICE_PATH}/DeltaAggregatedResources`,
    requestStream: true,
    responseStream: true,
    requestSerialize: (value: Buffer) => value,
    requestDeserialize: (bytes) => ({ message: fromBinary(DeltaDiscoveryRequestSchema, bytes) }),
    responseSerialize: (message: Message) => message.bytes(),
    responseDeserialize: (bytes) => bytes,
  },
}

interface DeltaRequest {
  readonly message: DeltaDiscoveryRequest
}

/** A server whose callers are proven before a call comes to its handler. */
export interface ProvenServer {
  addService(service: ServiceDefinition, handlers: UntypedServiceImplementation): void
  callerOf(metadata: Metadata): { readonly identity: SpiffeId }
}

export interface XdsServerOptions {
  views: ViewSource
  clock?: Clock
  log?: Logger
  metrics?: MetricStore
}

/** The aggregated discovery service, state of the world and delta, over gRPC. */
export class XdsServer {
  readonly #views: ViewSource
  readonly #clock: Clock
  readonly #log: Logger
  readonly #counters: XdsCounters
  readonly #metrics
  readonly #server: Server
  readonly #streams = new Set<XdsStream>()
  readonly #unsubscribe: () => void
  #pushQueue: XdsStream[] = []

  constructor(options: XdsServerOptions) {
    this.#views = options.views
    this.#clock = options.clock ?? systemClock
    this.#log = options.log ?? createLogger('xds')
    this.#metrics = xdsMetrics(options.metrics ?? new MetricStore())
    this.#counters = this.#metrics.counters
    this.#server = new Server({
      'grpc.max_concurrent_streams': 100_000,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.max_receive_message_length': 16 * 1024 * 1024,
      interceptors: [writePieces],
    })
    this.#server.addService(
      SERVICE,
      this.#handlers(() => undefined),
    )
    this.#unsubscribe = this.#views.onGeneration(() => this.#onGeneration())
  }

  /** Resolves with the port. */
  listen(address: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port)
        else reject(error)
      })
    })
  }

  /** Serves the same there, to callers whose node is their own. */
  addTo(server: ProvenServer): void {
    server.addService(
      SERVICE,
      this.#handlers((metadata) => server.callerOf(metadata).identity),
    )
  }

  get streams(): Iterable<XdsStream> {
    return this.#streams
  }

  close(): void {
    this.#unsubscribe()
    this.#server.forceShutdown()
  }

  // === generations ===

  /** Every stream is brought up to date, a batch a turn of the event loop; one that waits already waits once. */
  #onGeneration(): void {
    const isRunning = this.#pushQueue.length > 0
    this.#pushQueue = [...this.#streams]
    if (!isRunning) this.#pushBatch()
  }

  #pushBatch(): void {
    for (const stream of this.#pushQueue.splice(0, PUSH_BATCH)) {
      if (!this.#streams.has(stream)) continue
      try {
        const { node } = stream
        const view = stream instanceof DeltaStream ? this.#viewFor(node) : this.#views.viewFor(node)
        stream.setView(view, this.#views.changedAtMs)
      } catch (thrown) {
        this.#log.error('push failed', { node: stream.node.id, error: errorText(thrown) })
      }
    }
    if (this.#pushQueue.length > 0) setImmediate(() => this.#pushBatch())
  }

  /** What a delta client sees: with virtual hosts apart from their tables, if it takes them so. */
  #viewFor(node: NodeIdentity): ResourceView {
    const view = this.#views.viewFor(node)
    return node.clientFeatures?.includes(VHDS_CLIENT_FEATURE) ? VhdsView.of(view) : view
  }

  // === streams ===

  #handlers(provenOf: (metadata: Metadata) => SpiffeId | undefined): UntypedServiceImplementation {
    return {
      streamAggregatedResources: (call: ServerDuplexStream<Buffer, Message>) =>
        this.#serveSotw(call, provenOf(call.metadata)),
      deltaAggregatedResources: (call: ServerDuplexStream<DeltaRequest, Message>) =>
        this.#serveDelta(call, provenOf(call.metadata)),
    }
  }

  #serveSotw(call: ServerDuplexStream<Buffer, Message>, proven: SpiffeId | undefined): void {
    this.#serve<Buffer, SotwRequest, SotwStream>(
      call,
      proven,
      (bytes, stream) => decodeSotwRequest(bytes, stream?.knownNames()),
      (node, sink) => new SotwStream(node, this.#views.viewFor(node), sink, this.#clock, this.#counters),
    )
  }

  #serveDelta(call: ServerDuplexStream<DeltaRequest, Message>, proven: SpiffeId | undefined): void {
    this.#serve<DeltaRequest, DeltaRequest, DeltaStream>(
      call,
      proven,
      (request) => request,
      (node, sink) => new DeltaStream(node, this.#viewFor(node), sink, this.#clock, this.#counters),
    )
  }

  #serve<
    Raw,
    Request extends { readonly message: { node?: Node; typeUrl: string } },
    Stream extends XdsStream & { onRequest(type: TypeUrl, request: Request): void },
  >(
    call: ServerDuplexStream<Raw, Message>,
    proven: SpiffeId | undefined,
    decode: (raw: Raw, stream: Stream | undefined) => Request,
    open: (node: NodeIdentity, sink: StreamSink) => Stream,
  ): void {
    let stream: Stream | undefined
    let isRefused = false
    const fail = (code: GrpcStatus, details: string) => {
      isRefused = true
      this.#log.warning('stream refused', { details })
      call.emit('error', { code, details })
    }
    const over = () => {
      if (stream !== undefined && this.#streams.delete(stream)) this.#metrics.connected.dec()
    }
    call.on('data', (raw: Raw) => {
      if (isRefused) return
      let request: Request
      try {
        request = decode(raw, stream)
      } catch (thrown) {
        fail(GrpcStatus.INVALID_ARGUMENT, `this is no discovery request: ${errorText(thrown)}`)
        return
      }
      const { node, typeUrl } = request.message
      if (typeUrl === '') {
        fail(GrpcStatus.INVALID_ARGUMENT, 'type_url is needed on an aggregated stream')
        return
      }
      if (stream === undefined) {
        if (node === undefined || node.id === '') {
          fail(GrpcStatus.INVALID_ARGUMENT, 'the first request of a stream must name its node')
          return
        }
        const identity = identityOf(node, proven)
        const reason = proven === undefined ? '' : disagreement(identity, proven)
        if (reason !== '') {
          fail(GrpcStatus.PERMISSION_DENIED, reason)
          return
        }
        try {
          stream = open(identity, {
            write: (message) => call.write(message),
            onWithheld: (type, name, reason) =>
              this.#log.warning('withheld', { node: node.id, type: SHORT_TYPE[type], name: shortened(name), reason }),
          })
        } catch (thrown) {
          fail(GrpcStatus.INVALID_ARGUMENT, errorText(thrown))
          return
        }
        this.#streams.add(stream)
        this.#metrics.connected.inc()
      }
      // A type that is not served is a type of which there is nothing.
      if (isTypeUrl(typeUrl)) stream.onRequest(typeUrl, request)
    })
    call.on('drain', () => stream?.onWritable())
    call.on('error', over)
    call.on('close', over)
    call.on('cancelled', over)
    call.on('end', () => {
      over()
      call.end()
    })
  }
}

/** A name is the client's word. */
const MAX_LOGGED_CHARS = 200

function shortened(name: string): string {
  return name.length > MAX_LOGGED_CHARS ? `${name.slice(0, MAX_LOGGED_CHARS)}...` : name
}

function identityOf(node: Node, proven: SpiffeId | undefined): NodeIdentity {
  const { id, cluster, metadata = {}, clientFeatures } = node
  const { region = '', zone = '', subZone = '' } = node.locality ?? {}
  const locality = region === '' ? undefined : `${region}/${zone}/${subZone}`
  return { id, cluster, metadata, locality, clientFeatures, proven }
}
