import type { TypeUrl } from '../../api/type-urls.ts'
import type { EncodedResource, ResourceView } from './view.ts'

const known = new WeakMap<ResourceView, Map<TypeUrl, { before: ResourceView; names: ReadonlySet<string> }>>()

const NONE: ReadonlySet<string> = new Set()

/**
 * The names of a type whose resource differs between two views. Worked out once for all streams that go from the one
 * to the other.
 */
export function changedNames(before: ResourceView, after: ResourceView, type: TypeUrl): ReadonlySet<string> {
  if (before === after) return NONE
  let ofView = known.get(after)
  if (ofView === undefined) {
    ofView = new Map()
    known.set(after, ofView)
  }
  const found = ofView.get(type)
  if (found?.before === before) return found.names
  const names = compare(before.list(type), after.list(type))
  ofView.set(type, { before, names })
  return names
}

function compare(before: readonly EncodedResource[], after: readonly EncodedResource[]): Set<string> {
  const names = new Set<string>()
  if (before === after) return names
  // Most stand where they stood and are the same object: only the rest are looked up by name.
  const old = new Map<string, string>()
  const fresh: EncodedResource[] = []
  for (let i = 0; i < Math.max(before.length, after.length); i++) {
    const [was, is] = [before[i], after[i]]
    if (was === is) continue
    if (was !== undefined) old.set(was.name, was.version)
    if (is !== undefined) fresh.push(is)
  }
  for (const { name, version } of fresh) {
    if (old.get(name) !== version) names.add(name)
    old.delete(name)
  }
  for (const name of old.keys()) names.add(name)
  return names
}
