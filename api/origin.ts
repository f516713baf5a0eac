/** Where a resource came from: the object and the place in the file that made it. Lines count from 1. */
export interface Origin {
  kind: string
  namespace: string
  name: string
  file: string
  line: number
}

/**
 * The key of `filter_metadata` under which the pilot writes an Origin into every listener, virtual host, route and
 * cluster, so that a decision can name the YAML that made it.
 */
export const ORIGIN_METADATA_KEY = 'lateen.origin'

export function formatOrigin(origin: Origin): string {
  return `${origin.kind} ${origin.namespace}/${origin.name} ${origin.file}:${origin.line}`
}

/** Reads an Origin back from a metadata struct; undefined when it is not one. */
export function originFromStruct(value: unknown): Origin | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const { kind, namespace, name, file, line } = value as Record<string, unknown>
  if (typeof kind !== 'string' || typeof name !== 'string' || typeof file !== 'string') return undefined
  return {
    kind,
    name,
    file,
    namespace: typeof namespace === 'string' ? namespace : '',
    line: typeof line === 'number' ? line : 0,
  }
}
