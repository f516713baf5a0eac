import { fromBinary } from '@bufbuild/protobuf'
import { SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import type { Clock, Timer } from '../../lib/clock.ts'
import { filesOfSecret } from '../plan/compile/secret-files.ts'
import { type FileStamps, stampOf } from '../plan/files.ts'
import { LOOK_EVERY_MS } from './file-watch.ts'
import type { IncomingResource } from './resource-cache.ts'
import type { SecretStore } from './secret-store.ts'

/** Others that are refused stay so until they come anew. */
export const MAX_REFUSED = 256

export interface RefusedSecretsOptions {
  readonly clock: Clock
  readonly store: SecretStore
  /** Takes a secret as if it had come again; returns the text of the refusal, or ''. */
  readonly accept: (source: string, resource: IncomingResource) => string
}

interface Refused {
  readonly source: string
  readonly name: string
  readonly resource: IncomingResource
  readonly stamps: FileStamps
}

/**
 * Tries secrets again that were refused for the files that they name, when these change: files may come after the secret, as those of
 * a volume that is mounted only once there is something in it, and nobody would send the secret again.
 */
export class RefusedSecrets {
  readonly #options: RefusedSecretsOptions
  readonly #refused = new Map<string, Refused>()
  #timer: Timer | undefined

  constructor(options: RefusedSecretsOptions) {
    this.#options = options
  }

  /** What became of these has been decided. */
  note(source: string, incoming: readonly IncomingResource[]): void {
    const { rejected } = this.#options.store.cacheOf(source)
    for (const resource of incoming) {
      const secret = decoded(resource.bytes)
      if (secret === undefined) continue
      const name = resource.name || secret.name
      const key = `${source} ${name}`
      this.#refused.delete(key)
      const files = rejected.has(name) ? filesOfSecret(secret) : []
      if (files.length === 0 || this.#refused.size >= MAX_REFUSED) continue
      const stamps = new Map(files.map((file) => [file, stampOf(file)]))
      this.#refused.set(key, { source, name, resource, stamps })
    }
    if (this.#refused.size > 0) this.#timer ??= this.#wait()
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #wait(): Timer {
    return this.#options.clock.setTimer(LOOK_EVERY_MS, () => {
      this.#timer = undefined
      this.#look()
      if (this.#refused.size > 0) this.#timer ??= this.#wait()
    })
  }

  #look(): void {
    const { store, accept } = this.#options
    for (const [key, { source, name, resource, stamps }] of [...this.#refused]) {
      // Nobody refers to it any more, or another has come.
      if (!store.cacheOf(source).rejected.has(name)) this.#refused.delete(key)
      else if ([...stamps].some(([file, stamp]) => stampOf(file) !== stamp)) accept(source, resource)
    }
  }
}

function decoded(bytes: Uint8Array) {
  try {
    return fromBinary(SecretSchema, bytes)
  } catch {
    return undefined
  }
}
