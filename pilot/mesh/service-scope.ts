import type { Memo } from '../memo.ts'
import type { Service } from '../registry/service.ts'
import { isVisible } from '../registry/visibility.ts'

/** The services that may be called from somewhere, one for each host. */
export interface ServiceScope {
  readonly services: readonly Service[]
  readonly byHost: ReadonlyMap<string, Service>
}

/** Every service that a namespace sees. */
export function visibleServices(all: readonly Service[], namespace: string, memo: Memo): ServiceScope {
  return memo.get('visible services', [all, namespace], () =>
    scopeOf(
      all.filter((service) => isVisible(service.exportTo, namespace)),
      memo,
    ),
  )
}

/**
 * Settles who owns a host that several objects claim. `services` come in order of precedence: Kubernetes' before
 * ServiceEntries (so that nobody squats on a service's name), the oldest ServiceEntry before the younger.
 */
export function scopeOf(services: readonly Service[], memo: Memo): ServiceScope {
  const byHost = new Map<string, Service>()
  for (const service of services) {
    const owner = byHost.get(service.host)
    byHost.set(service.host, owner === undefined ? service : mergeService(owner, service, memo))
  }
  const stable = memo.list('service scope', [...byHost.values()])
  return memo.get('service scope', [stable], () => ({ services: stable, byHost }))
}

/** A younger ServiceEntry adds ports (and endpoints) to the owner's when it is alike; else it is left out. */
function mergeService(owner: Service, younger: Service, memo: Memo): Service {
  if (owner.key === younger.key || !canMerge(owner, younger)) return owner
  return memo.get('merged service', [owner, younger], () => {
    const known = new Set(owner.ports.map((port) => port.number))
    return {
      ...owner,
      ports: [...owner.ports, ...younger.ports.filter((port) => !known.has(port.number))],
      mergedKeys: [...owner.mergedKeys, younger.key],
    }
  })
}

function canMerge(owner: Service, younger: Service): boolean {
  const alike = ({ namespace, resolution, labels, selector, exportTo }: Service) =>
    JSON.stringify([namespace, resolution, labels, selector ?? {}, exportTo])
  return owner.registry === 'External' && younger.registry === 'External' && alike(owner) === alike(younger)
}
