import { create } from '@bufbuild/protobuf'
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
} from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import { StatusSchema } from '../../api/gen/google/rpc/status_pb.js'
import { Backoff } from '../../lib/backoff.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Metric, MetricStore } from '../../lib/metrics/store.ts'
import type { Random } from '../../lib/random.ts'
import type { IncomingResource } from './resource-cache.ts'
import { CLIENT_TYPES, type ClientType, RESOURCE_TYPES } from './resource-types.ts'
import { newSubscription, type ResourceSink, type Subscription, sameNames } from './subscription.ts'
import { AdsTransport, type DeltaStream, type ManagementServer, type SotwStream } from './transport.ts'

/** Envoy's pace of reconnecting: 500 ms base, 30 s cap, full jitter. */
const RECONNECT_BASE_MS = 500
const RECONNECT_MAX_MS = 30_000
/** google.rpc.Code of a refusal, and the bound of its text, as Envoy's. */
const REFUSAL_CODE = 13
const MAX_REFUSAL_CHARS = 4096

const TYPE_OF_URL = new Map<string, ClientType>(CLIENT_TYPES.map((type) => [RESOURCE_TYPES[type].typeUrl, type]))

export interface XdsClientOptions {
  server: ManagementServer
  resources: ResourceSink
  clock: Clock
  random: Random
  log: Logger
  metrics: MetricStore
  /** 1 while there is a stream; by default `control_plane.connected_state`. */
  connected?: Metric
}

/**
 * The aggregated discovery client: one stream for all types (or for secrets alone), state of the world or delta. It keeps what was accepted
 * when the server is gone, and comes back with jittered back-off.
 */
export class XdsClient {
  readonly #server: ManagementServer
  readonly #resources: ResourceSink
  readonly #clock: Clock
  readonly #log: Logger
  readonly #backoff: Backoff
  readonly #transport: AdsTransport
  readonly #types: readonly ClientType[]
  readonly #connected: Metric
  readonly #updates: Record<'success' | 'rejected', Record<ClientType, Metric>>
  readonly #subscriptions: Record<ClientType, Subscription>
  #sotw: SotwStream | undefined
  #delta: DeltaStream | undefined
  #nodeSent = false
  #reconnect: Timer | undefined
  #isClosed = false
  isConnected = false
  lastError = ''

  constructor(options: XdsClientOptions) {
    this.#server = options.server
    this.#resources = options.resources
    this.#clock = options.clock
    this.#log = options.log
    this.#backoff = new Backoff({ baseMs: RECONNECT_BASE_MS, maxMs: RECONNECT_MAX_MS, random: options.random })
    this.#transport = new AdsTransport(options.server)
    this.#types = options.server.service === 'secrets' ? ['secret'] : CLIENT_TYPES
    this.#connected = options.connected ?? options.metrics.gauge('control_plane.connected_state')
    const perType = (name: string) =>
      Object.fromEntries(
        CLIENT_TYPES.map((type) => [type, options.metrics.counter(`xds.${name}`, { type })]),
      ) as Record<ClientType, Metric>
    this.#updates = { success: perType('update_success'), rejected: perType('update_rejected') }
    this.#subscriptions = Object.fromEntries(CLIENT_TYPES.map((type) => [type, newSubscription(type)])) as Record<
      ClientType,
      Subscription
    >
  }

  start(): void {
    this.#open()
  }

  close(): void {
    this.#isClosed = true
    this.#reconnect?.cancel()
    this.#sotw?.cancel()
    this.#delta?.cancel()
    this.#transport.close()
  }

  /** The names of non-wildcard types that the accepted resources now need. */
  updateNames(): void {
    if (this.#isClosed) return
    const hosts = this.#subscriptions.virtualHost
    if (this.#delta !== undefined && !hosts.isOpen && this.#resources.usesVhds) this.#openDeltaType(hosts)
    for (const type of this.#types) {
      if (RESOURCE_TYPES[type].isWildcard) continue
      const subscription = this.#subscriptions[type]
      const wanted = this.#resources.wantedNames(type)
      if (sameNames(subscription.names, wanted)) continue
      const before = subscription.names
      subscription.names = wanted
      if (this.#delta !== undefined) this.#sendDeltaNames(subscription, before)
      else if (this.#sotw !== undefined) this.#sendSotw(subscription, '')
    }
  }

  // === stream ===

  #open(): void {
    if (this.#isClosed) return
    this.#nodeSent = false
    for (const type of this.#types) Object.assign(this.#subscriptions[type], { nonce: '', isOpen: false })
    const stream = this.#openStream()
    if (stream === undefined) return
    stream.on('metadata', () => this.#setConnected(true))
    stream.on('error', (error: Error) => this.#onStreamOver(stream, error.message))
    stream.on('end', () => this.#onStreamOver(stream, 'the server ended the stream'))
    for (const type of this.#types) {
      const subscription = this.#subscriptions[type]
      if (type === 'virtualHost' && !(this.#server.useDelta && this.#resources.usesVhds)) continue
      if (!RESOURCE_TYPES[type].isWildcard) {
        subscription.names = this.#resources.wantedNames(type)
        if (subscription.names.size === 0) continue
      }
      if (this.#delta !== undefined) this.#openDeltaType(subscription)
      else this.#sendSotw(subscription, '')
    }
  }

  /** undefined when the server cannot be called as things are: that is looked at again. */
  #openStream(): SotwStream | DeltaStream | undefined {
    try {
      return this.#server.useDelta ? this.#openDelta() : this.#openSotw()
    } catch (thrown) {
      this.#onLost(errorText(thrown))
      return undefined
    }
  }

  #openSotw(): SotwStream {
    const stream = this.#transport.openSotw()
    this.#sotw = stream
    stream.on('data', (response: DiscoveryResponse) => this.#onSotw(stream, response))
    return stream
  }

  #openDelta(): DeltaStream {
    const stream = this.#transport.openDelta()
    this.#delta = stream
    stream.on('data', (response: DeltaDiscoveryResponse) => this.#onDelta(stream, response))
    return stream
  }

  #onStreamOver(stream: SotwStream | DeltaStream, reason: string): void {
    if (stream !== this.#sotw && stream !== this.#delta) return
    this.#onLost(reason)
  }

  #onLost(reason: string): void {
    this.#sotw = undefined
    this.#delta = undefined
    this.#setConnected(false)
    this.lastError = reason
    if (this.#isClosed) return
    const delayMs = this.#backoff.nextDelayMs()
    this.#log.warning('management server lost; serving what is known', { server: this.#server.target, reason, delayMs })
    this.#reconnect = this.#clock.setTimer(delayMs, () => this.#open())
  }

  #setConnected(connected: boolean): void {
    this.isConnected = connected
    this.#connected.set(connected ? 1 : 0)
  }

  // === state of the world ===

  #sendSotw(subscription: Subscription, error: string): void {
    const request: DiscoveryRequest = create(DiscoveryRequestSchema, {
      typeUrl: RESOURCE_TYPES[subscription.type].typeUrl,
      resourceNames: [...subscription.names],
      versionInfo: subscription.acceptedVersion,
      responseNonce: subscription.nonce,
      errorDetail: refusal(error),
      node: this.#nodeOnce(),
    })
    subscription.isOpen = true
    this.#sotw?.write(request)
  }

  #onSotw(stream: SotwStream, response: DiscoveryResponse): void {
    const type = this.#typeOf(response.typeUrl)
    if (stream !== this.#sotw || type === undefined) return
    this.#setConnected(true)
    this.#backoff.reset()
    const subscription = this.#subscriptions[type]
    subscription.nonce = response.nonce
    const incoming: IncomingResource[] = response.resources.map((any) => ({
      name: '',
      version: response.versionInfo,
      typeUrl: any.typeUrl,
      bytes: any.value,
    }))
    const error = this.#resources.acceptSotw(type, incoming)
    this.#countUpdate(type, error)
    if (error === '') subscription.acceptedVersion = response.versionInfo
    this.#sendSotw(subscription, error)
    this.updateNames()
  }

  // === delta ===

  #openDeltaType(subscription: Subscription): void {
    const { type, names } = subscription
    subscription.isOpen = true
    this.#writeDelta({
      typeUrl: RESOURCE_TYPES[type].typeUrl,
      resourceNamesSubscribe: RESOURCE_TYPES[type].isWildcard ? ['*'] : [...names],
      initialResourceVersions: this.#resources.versions(type),
    })
  }

  #sendDeltaNames(subscription: Subscription, before: ReadonlySet<string>): void {
    if (!subscription.isOpen) {
      this.#openDeltaType(subscription)
      return
    }
    const { type, names } = subscription
    this.#writeDelta({
      typeUrl: RESOURCE_TYPES[type].typeUrl,
      resourceNamesSubscribe: [...names].filter((name) => !before.has(name)),
      resourceNamesUnsubscribe: [...before].filter((name) => !names.has(name)),
    })
  }

  #onDelta(stream: DeltaStream, response: DeltaDiscoveryResponse): void {
    const type = this.#typeOf(response.typeUrl)
    if (stream !== this.#delta || type === undefined) return
    this.#setConnected(true)
    this.#backoff.reset()
    const incoming: IncomingResource[] = []
    for (const resource of response.resources) {
      if (resource.resource === undefined) continue
      const { name, version } = resource
      incoming.push({ name, version, typeUrl: resource.resource.typeUrl, bytes: resource.resource.value })
    }
    const error = this.#resources.acceptDelta(type, incoming, response.removedResources)
    this.#countUpdate(type, error)
    this.#writeDelta({ typeUrl: response.typeUrl, responseNonce: response.nonce, errorDetail: refusal(error) })
    this.updateNames()
  }

  #writeDelta(fields: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]): void {
    const request: DeltaDiscoveryRequest = create(DeltaDiscoveryRequestSchema, { ...fields, node: this.#nodeOnce() })
    this.#delta?.write(request)
  }

  // === both ===

  #typeOf(typeUrl: string): ClientType | undefined {
    const type = TYPE_OF_URL.get(typeUrl)
    return type !== undefined && this.#types.includes(type) ? type : undefined
  }

  #nodeOnce() {
    if (this.#nodeSent) return undefined
    this.#nodeSent = true
    return this.#server.node
  }

  #countUpdate(type: ClientType, error: string): void {
    if (error === '') this.#updates.success[type].inc()
    else {
      this.#updates.rejected[type].inc()
      this.#log.warning('configuration refused', { type, reason: error })
    }
  }
}

function refusal(error: string) {
  return error === ''
    ? undefined
    : create(StatusSchema, { code: REFUSAL_CODE, message: error.slice(0, MAX_REFUSAL_CHARS) })
}
