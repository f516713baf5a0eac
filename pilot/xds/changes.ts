import type { TypeUrl } from '../../api/type-urls.ts'
import type { ResourceView } from './view.ts'

const known = new WeakMap<ResourceView, Map<TypeUrl, { before: ResourceView; names: ReadonlySet<string> }>>()

/**
 * The names of a type whose resource differs between two views. Worked out once for all streams that go from the one
 * to the other.
 */
export function changedNames(before: ResourceView, after: ResourceView, type: TypeUrl): ReadonlySet<string> {
  let ofView = known.get(after)
  if (ofView === undefined) {
    ofView = new Map()
    known.set(after, ofView)
  }
  const found = ofView.get(type)
  if (found?.before === before) return found.names
  const names = new Set<string>()
  const old = new Map(before.list(type).map((resource) => [resource.name, resource.version]))
  for (const { name, version } of after.list(type)) {
    if (old.get(name) !== version) names.add(name)
    old.delete(name)
  }
  for (const name of old.keys()) names.add(name)
  ofView.set(type, { before, names })
  return names
}
