import { TYPED_HANDLERS, TYPED_INSTANCES } from '../../crds/kinds/mixer.ts'

/** `name.kind.namespace`, by which handlers and instances are known. */
export function keyOf(name: string, kind: string, namespace: string): string {
  return `${name}.${kind}.${namespace}`
}

/**
 * The keys that a reference may mean, the likeliest first: `name`, `name.kind`, `name.namespace` or `name.kind.namespace`, seen from
 * a namespace. `kind` is that of the newer objects, `typed` those of the older ones.
 */
export function candidates(reference: string, namespace: string, kind: 'handler' | 'instance'): string[] {
  const typed = kind === 'handler' ? TYPED_HANDLERS : TYPED_INSTANCES
  const [name = '', second, third, ...rest] = reference.split('.')
  if (rest.length > 0) return []
  if (third !== undefined) return [reference]
  if (second === undefined) {
    return [kind, ...Object.keys(typed)].map((one) => keyOf(name, one, namespace))
  }
  if (second === kind || Object.hasOwn(typed, second)) return [keyOf(name, second, namespace)]
  return [kind, ...Object.keys(typed)].map((one) => keyOf(name, one, second))
}

/** `name.namespace`, as people are told of it. */
export function shortKey(key: string): string {
  const [name, , ...namespace] = key.split('.')
  return `${name}.${namespace.join('.')}`
}
