import { createHash } from 'node:crypto'
import type { TypeUrl } from '../../api/type-urls.ts'
import { encodeSotw } from './encode.ts'
import { namesOf, type SotwRequest } from './sotw-request.ts'
import { XdsStream } from './stream.ts'
import { hasLegacyWildcard, type Subscription } from './subscription.ts'
import type { EncodedResource } from './view.ts'

/** The state-of-the-world variant (envoy docs: xDS protocol, "SotW"). */
export class SotwStream extends XdsStream {
  onRequest(type: TypeUrl, sotwRequest: SotwRequest): void {
    const { message: request, nameBytes } = sotwRequest
    const { subscription, isFirst } = this.subscription(type)
    // A request that answers an older response is out of date, its names included.
    if (!isFirst && request.responseNonce !== subscription.nonce) {
      this.noteExpiredNonce(type)
      return
    }
    if (!isFirst && subscription.isAwaitingAck) this.onAnswer(subscription, request.errorDetail?.message)
    if (isFirst || (subscription.nameBytes !== nameBytes && !subscription.nameBytes.equals(nameBytes))) {
      this.#setNames(subscription, namesOf(sotwRequest), isFirst)
      subscription.nameBytes = Buffer.from(nameBytes)
    }
    if (isFirst) {
      subscription.mustAnswer = !this.#holdsCurrent(subscription, request.versionInfo)
    }
    this.push()
  }

  /** The names of the last request of each type, as they were encoded. */
  *knownNames(): Generator<Buffer> {
    for (const { nameBytes } of this.subscriptions.values()) yield nameBytes
  }

  #setNames(subscription: Subscription, requested: readonly string[], isFirst: boolean): void {
    const named = requested.filter((name) => name !== '*')
    if (requested.length > 0) subscription.hasNamed = true
    const isWildcard =
      requested.length === 0
        ? !subscription.hasNamed && hasLegacyWildcard(subscription.type)
        : named.length < requested.length
    const names = new Set(named)
    for (const name of names) {
      // What is newly asked for is sent even if it did not change.
      if (!subscription.names.has(name)) {
        subscription.forced.add(name)
        if (!isFirst) subscription.sent.delete(name)
      }
    }
    if (!isWildcard) for (const name of subscription.sent.keys()) if (!names.has(name)) subscription.sent.delete(name)
    if (isWildcard !== subscription.isWildcard) subscription.lastList = undefined
    subscription.isWildcard = isWildcard
    subscription.names = names
  }

  /** A client that comes back with the version that is in force holds all of it. */
  #holdsCurrent(subscription: Subscription, version: string): boolean {
    if (version === '' || !subscription.isWildcard || subscription.names.size > 0) return false
    const list = this.view.list(subscription.type)
    if (listVersion(list) !== version) return false
    for (const resource of list) subscription.sent.set(resource.name, resource.version)
    subscription.version = version
    subscription.lastList = list
    return true
  }

  protected override send(
    subscription: Subscription,
    updated: readonly EncodedResource[],
    removed: readonly string[],
  ): void {
    const { type, sent } = subscription
    let resources = updated
    let version = String(this.view.generation)
    if (subscription.isWildcard) {
      // All there is: what is absent is gone.
      const list = this.view.list(type)
      resources = subscription.lingering.size === 0 ? list : [...list, ...subscription.lingering.values()]
      version = listVersion(resources)
      sent.clear()
      for (const resource of resources) sent.set(resource.name, resource.version)
    } else {
      for (const resource of updated) sent.set(resource.name, resource.version)
      for (const name of removed) sent.set(name, '')
      // Such types cannot say that something is missing; the client learns it by waiting.
      if (updated.length === 0 && !subscription.mustAnswer) return
    }
    subscription.version = version
    this.write(subscription, (nonce) => encodeSotw(type, resources, version, nonce))
  }
}

const listVersions = new WeakMap<readonly EncodedResource[], string>()

/** A version made of the content, so that it means the same after the pilot was restarted. */
function listVersion(list: readonly EncodedResource[]): string {
  let version = listVersions.get(list)
  if (version === undefined) {
    const hash = createHash('sha256')
    for (const resource of list) hash.update(`${resource.name}\0${resource.version}\n`)
    version = hash.digest('hex').slice(0, 16)
    listVersions.set(list, version)
  }
  return version
}
