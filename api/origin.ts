/** Where a resource came from: the object and the place in the file that made it. Lines count from 1. */
export interface Origin {
  kind: string
  namespace: string
  name: string
  file: string
  line: number
}

/**
 * The key of `filter_metadata` under which the pilot writes an Origin into listeners, virtual hosts, routes and clusters, so that
 * a decision can name the YAML that made it. A route without one has that of its virtual host.
 */
export const ORIGIN_METADATA_KEY = 'lateen.origin'

export function formatOrigin(origin: Origin): string {
  return `${origin.kind} ${origin.namespace}/${origin.name} ${origin.file}:${origin.line}`
}

/** undefined for what formatOrigin() has not written. The file's name may hold anything; kinds, namespaces and names have no space. */
export function parseOrigin(text: string): Origin | undefined {
  const [, kind, namespace, name, file, line] = /^(\S+) ([^\s/]*)\/(\S*) (.*):(\d+)$/s.exec(text) ?? []
  if (kind === undefined || namespace === undefined || name === undefined || file === undefined) return undefined
  return { kind, namespace, name, file, line: Number(line) }
}

/** One line: a field for each part would be half of what a virtual host of one service is. */
export function originStruct(origin: Origin): { readonly at: string } {
  return { at: formatOrigin(origin) }
}

/** Reads an Origin back from a metadata struct; undefined when it is not one. */
export function originFromStruct(value: unknown): Origin | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const { at } = value as Record<string, unknown>
  return typeof at === 'string' ? parseOrigin(at) : undefined
}
