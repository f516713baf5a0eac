import { TYPE_URL } from '../../api/type-urls.ts'
import { changedNames } from './changes.ts'
import type { Subscription } from './subscription.ts'
import type { EncodedResource, ResourceView } from './view.ts'

/** What a client lacks. */
export interface Difference {
  /** New, changed, or to be answered anyway. */
  updated: EncodedResource[]
  /** Held by the client (or asked for by name) and not there. */
  removed: string[]
}

/** Compares what the client holds with what it should. Does not change anything. */
export function difference(subscription: Subscription, view: ResourceView): Difference {
  const updated: EncodedResource[] = []
  const removed: string[] = []
  if (isCurrent(subscription, view)) return { updated, removed }
  const { type, sent, forced, names, isWildcard } = subscription
  if (isWildcard) {
    const list = view.list(type)
    if (list === subscription.lastList && forced.size === 0) {
      // The very list that was sent.
    } else if (isInStep(subscription)) {
      for (const name of changedNames(subscription.syncedView as ResourceView, view, type)) {
        const resource = view.get(type, name)
        if (resource !== undefined && sent.get(name) !== resource.version) updated.push(resource)
        else if (resource === undefined && sent.has(name)) removed.push(name)
      }
    } else {
      const listed = new Set<string>()
      for (const resource of list) {
        listed.add(resource.name)
        if (sent.get(resource.name) !== resource.version || forced.has(resource.name)) updated.push(resource)
      }
      for (const name of sent.keys()) if (!listed.has(name) && !names.has(name)) removed.push(name)
    }
  }
  for (const name of namesToCheck(subscription, view)) {
    const resource = view.get(type, name)
    if (resource === undefined) {
      const held = sent.get(name)
      if (held !== '' || forced.has(name)) removed.push(name)
    } else if (sent.get(name) !== resource.version || forced.has(name)) updated.push(resource)
  }
  return { updated, removed }
}

/** Whether the client was brought up to date with this very view, and asked for nothing since: so it is with nearly every answer. */
function isCurrent({ syncedView, forced, isWildcard, lastList }: Subscription, view: ResourceView): boolean {
  return syncedView === view && forced.size === 0 && (!isWildcard || lastList !== undefined)
}

/** Whether the client was brought up to date with a view as a whole, so that what changed since is all that it lacks. */
function isInStep({ syncedView, forced, names, lastList }: Subscription): boolean {
  return syncedView !== undefined && lastList !== undefined && forced.size === 0 && names.size === 0
}

/** Endpoints are asked for by the thousand and change one by one: only those that changed are looked at. */
function namesToCheck(subscription: Subscription, view: ResourceView): Iterable<string> {
  const { type, names, forced, syncedView } = subscription
  if (type !== TYPE_URL.endpoint || forced.size > 0 || syncedView === undefined) return names
  return [...changedNames(syncedView, view, type)].filter((name) => names.has(name))
}

/** Cluster names whose endpoints must follow, changed or not: a client waits for them while it warms a cluster. */
export function endpointsToForce(
  changedClusters: readonly EncodedResource[],
  endpoints: Subscription | undefined,
): string[] {
  if (endpoints === undefined || endpoints.type !== TYPE_URL.endpoint) return []
  return changedClusters.filter((c) => endpoints.names.has(c.name) && endpoints.sent.has(c.name)).map((c) => c.name)
}
