import { TYPE_URL, type TypeUrl } from '../../api/type-urls.ts'
import type { Memo } from '../memo.ts'
import type { Generation } from '../mesh/generation.ts'
import type { NodeScope } from '../mesh/scope.ts'
import type { EncodedResource, ResourceView } from '../xds/view.ts'
import { clusterResources, endpointResources } from './clusters.ts'
import { givenCredential } from './credentials.ts'
import { listenerResources, openPlan } from './listeners.ts'
import { type RouteTable, routeTable } from './routes.ts'
import { secretResources } from './secrets.ts'

/**
 * What the proxies of one scope see of one generation. Nothing is made before somebody asks for it, and what did not
 * change since the generation before is taken from there, whole lists included.
 */
export class ScopedView implements ResourceView {
  readonly generation: number
  readonly scope: NodeScope
  /** Whose Secrets its proxies may have; undefined where they have proven nothing. */
  readonly #provenNamespace: string | undefined
  readonly #generation: Generation
  readonly #memo: Memo
  readonly #lists = new Map<TypeUrl, readonly EncodedResource[]>()
  readonly #tables = new Map<string, RouteTable | undefined>()
  #byName = new Map<TypeUrl, ReadonlyMap<string, EncodedResource>>()

  constructor(scope: NodeScope, generation: Generation, memo: Memo, provenNamespace?: string) {
    this.generation = generation.number
    this.scope = scope
    this.#provenNamespace = provenNamespace
    this.#generation = generation
    this.#memo = memo
  }

  list(type: TypeUrl): readonly EncodedResource[] {
    let list = this.#lists.get(type)
    if (list === undefined) {
      list = this.#make(type)
      this.#lists.set(type, list)
    }
    return list
  }

  get(type: TypeUrl, name: string): EncodedResource | undefined {
    switch (type) {
      case TYPE_URL.route:
        return this.#table(name)?.configuration
      case TYPE_URL.virtualHost:
        return this.#virtualHost(name)
      case TYPE_URL.secret:
        return this.#named(type).get(name) ?? this.#credential(name)
      default:
        return this.#named(type).get(name)
    }
  }

  withheld(type: TypeUrl, name: string): string | undefined {
    if (type !== TYPE_URL.secret || this.#named(type).has(name)) return undefined
    const given = this.#given(name)
    return 'withheld' in given ? given.withheld : undefined
  }

  /** What Secrets hold is in no list: each is asked for by name. */
  #credential(name: string): EncodedResource | undefined {
    const given = this.#given(name)
    return 'resource' in given ? given.resource : undefined
  }

  #given(name: string) {
    return givenCredential(name, this.#provenNamespace, this.#generation, this.#memo)
  }

  #make(type: TypeUrl): readonly EncodedResource[] {
    switch (type) {
      case TYPE_URL.cluster:
        return clusterResources(this.scope, this.#generation, this.#memo)
      case TYPE_URL.listener:
        return listenerResources(this.scope, this.#generation, this.#memo)
      case TYPE_URL.endpoint:
        return endpointResources(this.scope, this.#generation, this.#memo)
      case TYPE_URL.route:
        return this.#stable(
          type,
          this.#allTables().map((table) => table.configuration),
        )
      case TYPE_URL.virtualHost:
        return this.#stable(
          type,
          this.#allTables().flatMap((table) => table.virtualHosts),
        )
      case TYPE_URL.secret:
        return this.#stable(type, secretResources(this.#generation, this.#memo))
      default:
        return this.#stable(type, [])
    }
  }

  #stable(type: TypeUrl, list: readonly EncodedResource[]): readonly EncodedResource[] {
    return this.#memo.list(type, list)
  }

  #named(type: TypeUrl): ReadonlyMap<string, EncodedResource> {
    let byName = this.#byName.get(type)
    if (byName === undefined) {
      const list = this.list(type)
      byName = this.#memo.get('by name', [list], () => new Map(list.map((resource) => [resource.name, resource])))
      this.#byName.set(type, byName)
    }
    return byName
  }

  #table(name: string): RouteTable | undefined {
    if (!this.#tables.has(name)) {
      const plan = openPlan(this.scope, this.#generation, this.#memo).routes.get(name)
      this.#tables.set(name, plan && routeTable(plan, this.scope, this.#generation, this.#memo))
    }
    return this.#tables.get(name)
  }

  #allTables(): RouteTable[] {
    const { routes } = openPlan(this.scope, this.#generation, this.#memo)
    return [...routes.keys()].flatMap((name) => this.#table(name) ?? [])
  }

  /** `<table>/<name or domain>`. Neither contains a slash, but for tables of Unix sockets. */
  #virtualHost(name: string): EncodedResource | undefined {
    const slash = name.lastIndexOf('/')
    return slash < 0 ? undefined : this.#table(name.slice(0, slash))?.virtualHost(name.slice(slash + 1))
  }
}
