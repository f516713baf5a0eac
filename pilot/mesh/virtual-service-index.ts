import type { ConfigObject } from '../../config/object.ts'
import type { VirtualServiceBody } from '../../crds/kinds/virtual-service.ts'
import type { Memo } from '../memo.ts'
import { isVisible } from '../registry/visibility.ts'
import { isDelegate, mergeDelegates } from './delegate.ts'
import type { MeshOptions } from './options.ts'
import { resolveVirtualService, type VirtualService } from './virtual-service.ts'

export interface VirtualServiceIndex {
  /** All that route something, oldest first, delegates merged in. */
  readonly all: readonly VirtualService[]
  /** Label keys that some `sourceLabels` asks for. */
  readonly sourceLabelKeys: readonly string[]
  /** Those bound to a gateway (`mesh` or `namespace/name`) that a namespace sees, by precedence. */
  boundTo(gateway: string, namespace: string): readonly VirtualService[]
}

export function indexVirtualServices(
  objects: readonly ConfigObject<VirtualServiceBody>[],
  options: MeshOptions,
  memo: Memo,
): VirtualServiceIndex {
  const resolved = objects.map((object) =>
    memo.get('virtual service', [object, options], () => resolveVirtualService(object, options)),
  )
  const byName = new Map(resolved.map((service) => [keyOf(service), service]))
  const merged = resolved.filter((service) => !isDelegate(service)).map((service) => merge(service, byName, memo))
  const all = memo.list('virtual services', merged)
  return memo.get('virtual service index', [all], () => ({
    all,
    sourceLabelKeys: sourceLabelKeys(all),
    boundTo: (gateway, namespace) =>
      memo.get('bound virtual services', [all, gateway, namespace], () =>
        memo.list(
          'bound virtual services',
          byPrecedence(
            all.filter((service) => service.gateways.includes(gateway)),
            namespace,
          ),
        ),
      ),
  }))
}

function keyOf(service: VirtualService): string {
  return `${service.namespace}/${service.object.metadata.name}`
}

function merge(root: VirtualService, byName: ReadonlyMap<string, VirtualService>, memo: Memo): VirtualService {
  const delegates = root.http.flatMap(({ route: { delegate } }) =>
    delegate === undefined ? [] : [byName.get(`${delegate.namespace || root.namespace}/${delegate.name ?? ''}`)],
  )
  if (delegates.length === 0) return root
  return memo.get('merged virtual service', [root, ...delegates], () =>
    mergeDelegates(root, (namespace, name) => byName.get(`${namespace}/${name}`)),
  )
}

/** A namespace's private rules, then those exported to it by name, then the public ones; each oldest first. */
function byPrecedence(services: readonly VirtualService[], namespace: string): VirtualService[] {
  const classes: VirtualService[][] = [[], [], []]
  for (const service of services) {
    const { exportTo } = service
    if (!isVisible(exportTo, namespace)) continue
    const ownOnly = exportTo !== '*' && exportTo.length === 1 && exportTo[0] === service.namespace
    const rank = exportTo === '*' ? 2 : ownOnly ? 0 : 1
    classes[rank]?.push(service)
  }
  return classes.flat()
}

function sourceLabelKeys(all: readonly VirtualService[]): readonly string[] {
  const keys = new Set<string>()
  for (const service of all) {
    for (const rule of [...service.http, ...service.tls, ...service.tcp]) {
      for (const { match } of rule.matches) for (const key in match.sourceLabels) keys.add(key)
    }
  }
  return [...keys]
}
