import { chmodSync } from 'node:fs'
import { create, toBinary } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { type Secret, SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import {
  type DiscoveryRequest,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '../../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import { SecretDiscoveryService } from '../../../api/gen/envoy/service/secret/v3/sds_pb.js'
import { serviceDefinition } from '../../../api/grpc.ts'
import { TYPE_URL } from '../../../api/type-urls.ts'
import type { Logger } from '../../../lib/log.ts'
import type { SecretSink } from '../../xds/secret-provider.ts'

/** A request names a few secrets and a node. */
const MAX_REQUEST_BYTES = 64 * 1024
const UNIX = 'unix:'
const OWNER_ONLY = 0o600
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost):\d+$/

type Call = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>
type KnownSecrets = ReadonlyMap<string, { readonly version: string; readonly bytes: Uint8Array }>

/**
 * Serves a workload's secrets by SDS (envoy.service.secret.v3.SecretDiscoveryService, its state-of-the-world stream) to the real
 * Envoy beside it, as Istio's agent does: behind a Unix socket that only its owner may open, or on loopback.
 */
export class SecretServer implements SecretSink {
  readonly #log: Logger
  readonly #server = new Server({ 'grpc.max_receive_message_length': MAX_REQUEST_BYTES })
  readonly #secrets = new Map<string, { readonly version: string; readonly bytes: Uint8Array }>()
  readonly #streams = new Set<SecretStream>()

  constructor(log: Logger) {
    this.#log = log
    this.#server.addService(serviceDefinition(SecretDiscoveryService), {
      streamSecrets: (call: Call) => this.#serve(call),
    })
  }

  /** `unix:PATH`, or `host:port` of loopback: keys are not to leave this machine. Resolves with the port, 0 for a path. */
  async listen(address: string): Promise<number> {
    if (!address.startsWith(UNIX) && !LOOPBACK.test(address)) {
      throw new Error(`${address} is neither unix:PATH nor an address of loopback`)
    }
    const port = await new Promise<number>((resolve, reject) => {
      const done = (error: Error | null, bound: number) => (error === null ? resolve(bound) : reject(error))
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), done)
    })
    if (!address.startsWith(UNIX)) return port
    chmodSync(address.slice(UNIX.length), OWNER_ONLY)
    return 0
  }

  close(): void {
    this.#server.forceShutdown()
  }

  put(secret: Secret, version: string): string {
    this.#secrets.set(secret.name, { version, bytes: toBinary(SecretSchema, secret) })
    for (const stream of this.#streams) stream.onSecret(secret.name)
    return ''
  }

  #serve(call: Call): void {
    const stream = new SecretStream(call, this.#secrets, this.#log)
    this.#streams.add(stream)
    const over = () => this.#streams.delete(stream)
    call.on('error', over)
    call.on('close', over)
    call.on('cancelled', over)
    call.on('end', () => {
      over()
      call.end()
    })
  }
}

/** One client, which is sent all that it names whenever one of that is new. */
class SecretStream {
  readonly #call: Call
  readonly #secrets: KnownSecrets
  #names: ReadonlySet<string> = new Set()
  #nonce = 0

  constructor(call: Call, secrets: KnownSecrets, log: Logger) {
    this.#call = call
    this.#secrets = secrets
    call.on('data', (request: DiscoveryRequest) => {
      if (request.errorDetail !== undefined) {
        log.error('the proxy refuses a secret', { reason: request.errorDetail.message })
      }
      // An answer to what was not sent last says nothing of what is wanted now.
      if (request.responseNonce !== '' && request.responseNonce !== String(this.#nonce)) return
      const before = this.#names
      this.#names = new Set(request.resourceNames)
      if ([...this.#names].some((name) => !before.has(name))) this.#send()
    })
  }

  onSecret(name: string): void {
    if (this.#names.has(name)) this.#send()
  }

  /** What is not there yet is sent when it is. */
  #send(): void {
    const known = [...this.#names].flatMap((name) => this.#secrets.get(name) ?? [])
    if (known.length === 0) return
    this.#nonce++
    const resources = known.map(({ bytes }) => create(AnySchema, { typeUrl: TYPE_URL.secret, value: bytes }))
    const versionInfo = known.map(({ version }) => version).join(' ')
    this.#call.write(
      create(DiscoveryResponseSchema, { versionInfo, resources, typeUrl: TYPE_URL.secret, nonce: String(this.#nonce) }),
    )
  }
}
