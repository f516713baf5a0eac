import { fieldOf } from '../../decide/fields.ts'
import { metadataAt } from '../../decide/metadata.ts'
import type { Asked } from './asked.ts'

/** What of a call a condition looks at, as far as an index can look there too. */
export type Subject =
  | { readonly kind: 'path' | 'peer' | 'port' | 'server_name' }
  /** `fold`: case does not count. */
  | { readonly kind: 'header'; readonly name: string; readonly fold: boolean }
  /** A text, or a list of texts. */
  | { readonly kind: 'metadata'; readonly filter: string; readonly path: readonly string[] }

/**
 * A value that a subject has whenever the condition holds: the whole of it, its beginning, its end, or the namespace in it
 * (`/ns/<value>/` somewhere within).
 */
export interface IndexKey {
  readonly subject: Subject
  readonly how: 'exact' | 'prefix' | 'suffix' | 'namespace'
  readonly value: string | number
}

export function subjectId(subject: Subject): string {
  switch (subject.kind) {
    case 'header':
      return `header ${subject.name} ${subject.fold}`
    case 'metadata':
      return `metadata ${JSON.stringify([subject.filter, ...subject.path])}`
    default:
      return subject.kind
  }
}

/** Gives `visitor` every value that the subject has in this call. */
export function visitValues(subject: Subject, asked: Asked, visitor: ValueVisitor): void {
  switch (subject.kind) {
    case 'path':
      if (asked.path !== undefined) visitor.test(asked.path)
      return
    case 'port':
      visitor.number(asked.facts.destinationPort)
      return
    case 'server_name':
      visitor.test(asked.serverName)
      return
    case 'peer': {
      const names = asked.peerNames
      for (let i = 0; i < names.length; i++) visitor.test(names[i] as string)
      return
    }
    case 'header':
      visitHeader(subject.name, subject.fold, asked, visitor)
      return
    case 'metadata': {
      const value = metadataAt(asked, subject.filter, subject.path)
      if (typeof value === 'string') visitor.test(value)
      else if (Array.isArray(value)) for (const item of value) if (typeof item === 'string') visitor.test(item)
    }
  }
}

/** Takes the values of a subject; `test` always says no, so that all values of a header are given. */
export interface ValueVisitor {
  test(value: string): boolean
  number(value: number): void
}

function visitHeader(name: string, fold: boolean, { head }: Asked, visitor: ValueVisitor): void {
  if (head === undefined) return
  if (name.charCodeAt(0) !== COLON) {
    head.anyValue(name, visitor)
    return
  }
  const value = fieldOf(head, name)
  if (value !== undefined) visitor.test(fold ? value.toLowerCase() : value)
}

const COLON = 58
