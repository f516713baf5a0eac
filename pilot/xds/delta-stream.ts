import type { DeltaDiscoveryRequest } from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import type { TypeUrl } from '../../api/type-urls.ts'
import { encodeDelta } from './encode.ts'
import { XdsStream } from './stream.ts'
import { hasLegacyWildcard, type Subscription } from './subscription.ts'
import type { EncodedResource } from './view.ts'

/** The incremental variant (envoy docs: xDS protocol, "Incremental xDS"). */
export class DeltaStream extends XdsStream {
  onRequest(type: TypeUrl, { message: request }: { readonly message: DeltaDiscoveryRequest }): void {
    const { subscription, isFirst } = this.subscription(type)
    if (isFirst) {
      for (const [name, version] of Object.entries(request.initialResourceVersions))
        subscription.sent.set(name, version)
      const saysNothing = request.resourceNamesSubscribe.length === 0 && request.resourceNamesUnsubscribe.length === 0
      subscription.isWildcard = saysNothing && hasLegacyWildcard(type)
      // An empty first answer is legal and tells the client that there is nothing.
      subscription.mustAnswer = true
    }
    if (request.responseNonce !== '') {
      if (request.responseNonce === subscription.nonce) {
        if (subscription.isAwaitingAck) this.onAnswer(subscription, request.errorDetail?.message)
      } else this.noteExpiredNonce(type)
    }
    // Unlike in the state of the world, names count whatever the nonce.
    this.#subscribe(subscription, request.resourceNamesSubscribe, isFirst, request.initialResourceVersions)
    this.#unsubscribe(subscription, request.resourceNamesUnsubscribe)
    this.push()
  }

  #subscribe(
    subscription: Subscription,
    added: readonly string[],
    isFirst: boolean,
    held: Readonly<Record<string, string>>,
  ): void {
    if (added.length === 0) return
    const names = new Set(subscription.names)
    for (const name of added) {
      if (name === '*') {
        subscription.isWildcard = true
        subscription.lastList = undefined
        continue
      }
      names.add(name)
      // Every name must be answered; the first time, what the client says it holds is answer enough.
      if (!isFirst || held[name] === undefined) subscription.forced.add(name)
    }
    subscription.names = names
  }

  #unsubscribe(subscription: Subscription, dropped: readonly string[]): void {
    if (dropped.length === 0) return
    const names = new Set(subscription.names)
    for (const name of dropped) {
      if (name === '*') {
        subscription.isWildcard = false
        continue
      }
      if (!names.delete(name)) continue
      // With a wildcard the client still wants to know what the name stands for.
      if (subscription.isWildcard) subscription.forced.add(name)
      else subscription.sent.delete(name)
    }
    subscription.names = names
    if (subscription.isWildcard) subscription.lastList = undefined
  }

  protected override send(
    subscription: Subscription,
    updated: readonly EncodedResource[],
    removed: readonly string[],
  ): void {
    const { type, sent, names } = subscription
    for (const resource of updated) sent.set(resource.name, resource.version)
    for (const name of removed) {
      // A name that is asked for and missing is remembered as such, so that its coming is news.
      if (names.has(name)) sent.set(name, '')
      else sent.delete(name)
    }
    subscription.version = String(this.view.generation)
    this.write(subscription, (nonce) => encodeDelta(type, updated, removed, subscription.version, nonce))
  }
}
