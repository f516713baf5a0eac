import type { FieldPath } from '../object.ts'

/**
 * The lines of a value and of all that lies in it, in the shape of the value. A leaf is just its line. Parts that came
 * through an alias or a merge key carry the line where they are written.
 */
export type LineTree = number | LineBranch

export interface LineBranch {
  /** Of the key that holds the value, or of the item of a list. */
  readonly line: number
  readonly children: ReadonlyMap<string, LineTree> | readonly LineTree[]
}

/** The line of the field, or of its nearest parent that is present. */
export function lineAt(tree: LineTree, path: FieldPath): number {
  let at = tree
  for (const step of path) {
    if (typeof at === 'number') return at
    const child = childOf(at, step)
    if (child === undefined) return at.line
    at = child
  }
  return typeof at === 'number' ? at : at.line
}

/** The part of the tree at `path`; undefined when it is not present. */
export function subtree(tree: LineTree, path: FieldPath): LineTree | undefined {
  let at: LineTree | undefined = tree
  for (const step of path) {
    if (at === undefined || typeof at === 'number') return undefined
    at = childOf(at, step)
  }
  return at
}

function childOf(branch: LineBranch, step: string | number): LineTree | undefined {
  if (branch.children instanceof Map) return branch.children.get(String(step))
  return (branch.children as readonly LineTree[])[Number(step)]
}
