/** One entry of a route table, in the words that each proxy's configuration can say. */
export interface Route {
  readonly path: string
  readonly kind: 'prefix' | 'path' | 'prefix and header'
}

export const HEADER = 'x-version'
export const HEADER_PATTERN = '^v[0-9]+$'
/** What a request sends to match a route of the kind `prefix and header`. */
export const HEADER_VALUE = 'v42'

const KINDS = ['prefix', 'path', 'prefix and header'] as const

/** A table of `count` routes, a third of each kind, of which only the last matches `/`. */
export function routeTable(count: number, lastKind: Route['kind'] = 'prefix'): readonly Route[] {
  const misses = Array.from({ length: count - 1 }, (_, i): Route => {
    const kind = KINDS[i % KINDS.length] as Route['kind']
    return { kind, path: kind === 'path' ? `/service-${i}/item` : `/service-${i}/` }
  })
  return [...misses, { kind: lastKind, path: '/' }]
}
