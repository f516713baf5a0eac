import { type PUSH_ORDER, SHORT_TYPE, TYPE_URL } from '../../api/type-urls.ts'
import { errorText } from '../../lib/errors.ts'
import type { ResourceView } from '../../pilot/xds/view.ts'
import type { Plan } from '../../proxy/plan/plan.ts'
import { NO_SECRETS } from '../../proxy/plan/secret-plan.ts'
import { routeNamesOf } from '../../proxy/xds/assemble.ts'
import { type ClientType, type CompiledTypes, RESOURCE_TYPES } from '../../proxy/xds/resource-types.ts'

/** A plan made of all that a pilot would send to one proxy, and what that proxy would refuse of it. */
export interface ViewedPlan {
  plan: Plan
  refused: string[]
}

/** What was compiled before, by type and name: what did not change is the same object again, as in a proxy. */
export type CompiledBefore = Map<string, { version: string; compiled: unknown }>

/**
 * Does in one go what a proxy does over an xDS stream: every listener and cluster, and what they name. A resource that it would
 * refuse stays as `before` has it.
 */
export function planOfView(view: ResourceView, before: CompiledBefore = new Map()): ViewedPlan {
  const refused: string[] = []
  const compile = <T extends ClientType>(type: T, names: Iterable<string>): Map<string, CompiledTypes[T]> => {
    const compiled = new Map<string, CompiledTypes[T]>()
    for (const name of names) {
      const resource = view.get(TYPE_URL[type], name)
      if (resource === undefined) continue
      const key = `${type} ${name}`
      let known = before.get(key)
      if (known?.version !== resource.version) {
        try {
          known = {
            version: resource.version,
            compiled: RESOURCE_TYPES[type].compile(resource.bytes, resource.version),
          }
          before.set(key, known)
        } catch (thrown) {
          refused.push(`${SHORT_TYPE[TYPE_URL[type]]} ${name}: ${errorText(thrown)}`)
        }
      }
      if (known !== undefined) compiled.set(name, known.compiled as CompiledTypes[T])
    }
    return compiled
  }
  const listNames = (type: (typeof PUSH_ORDER)[number]) => view.list(type).map((resource) => resource.name)
  const clusters = compile('cluster', listNames(TYPE_URL.cluster))
  const listeners = compile('listener', listNames(TYPE_URL.listener))
  const routeNames = new Set([...listeners.values()].flatMap(routeNamesOf))
  const edsNames = [...clusters.values()].filter((c) => c.discovery === 'eds').map((c) => c.edsServiceName)
  return {
    plan: {
      version: view.generation,
      clusters,
      listeners,
      routeConfigs: compile('route', routeNames),
      endpoints: compile('endpoint', new Set(edsNames)),
      // What is decided does not depend on them.
      secrets: NO_SECRETS,
    },
    refused,
  }
}
