import type { Asked } from './asked.ts'
import type { IndexKey } from './index-key.ts'

/** One condition of a rule, compiled. Trees of them are what permissions and principals become. */
export type Predicate =
  | { readonly kind: 'any' }
  | { readonly kind: 'and' | 'or'; readonly children: readonly Predicate[] }
  | { readonly kind: 'not'; readonly child: Predicate }
  | Leaf

export interface Leaf {
  readonly kind: 'leaf'
  /** `path exact "/admin"`, `principal prefix "spiffe://"`, ... */
  readonly describe: string
  /** A value without which it does not hold; undefined when it has none that an index could use. */
  readonly key: IndexKey | undefined
  test(asked: Asked): boolean
}

export const ANY: Predicate = { kind: 'any' }

export function holds(predicate: Predicate, asked: Asked): boolean {
  switch (predicate.kind) {
    case 'leaf':
      return predicate.test(asked)
    case 'any':
      return true
    case 'not':
      return !holds(predicate.child, asked)
    case 'and': {
      const { children } = predicate
      for (let i = 0; i < children.length; i++) if (!holds(children[i] as Predicate, asked)) return false
      return true
    }
    case 'or': {
      const { children } = predicate
      for (let i = 0; i < children.length; i++) if (holds(children[i] as Predicate, asked)) return true
      return false
    }
  }
}

/** Of an `or` that nothing met, so many alternatives are named. */
const MAX_NAMED = 4

/** The first condition that does not hold, in words; undefined when all hold. */
export function refusalOf(predicate: Predicate, asked: Asked): string | undefined {
  if (holds(predicate, asked)) return undefined
  if (predicate.kind !== 'and') return describe(predicate)
  for (const child of predicate.children) {
    const refusal = refusalOf(child, asked)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

export function describe(predicate: Predicate): string {
  switch (predicate.kind) {
    case 'leaf':
      return predicate.describe
    case 'any':
      return 'any'
    case 'not':
      return predicate.child.kind === 'any' ? 'never' : `not (${describe(predicate.child)})`
    case 'and':
      return listed(predicate.children, ' and ')
    case 'or':
      return listed(predicate.children, ' or ')
  }
}

function listed(children: readonly Predicate[], joint: string): string {
  const named = children.slice(0, MAX_NAMED).map((child) => {
    const isNested = (child.kind === 'and' || child.kind === 'or') && children.length > 1 && child.children.length > 1
    return isNested ? `(${describe(child)})` : describe(child)
  })
  const more = children.length - named.length
  return named.join(joint) + (more > 0 ? ` (and ${more} more)` : '')
}

/** A set of one is what it holds. */
export function combine(kind: 'and' | 'or', children: readonly Predicate[]): Predicate {
  const only = children[0]
  return children.length === 1 && only !== undefined ? only : { kind, children }
}
