import type { JsonValue } from '@bufbuild/protobuf'
import { refuse } from '../../plan/plan-error.ts'
import type { CallRecord } from '../call-record.ts'
import type { Subject } from '../cel/attributes.ts'

/** A command operator's value, its text being bytes; undefined for what is not there. */
export type OperatorValue = string | number | JsonValue | undefined
export type ReadValue = (subject: Subject) => OperatorValue

/** What an operator is compiled with. */
export interface OperatorContext {
  readonly path: string
  /** Fields of answers that the operators of one format read, lower-case; operators add theirs. */
  readonly responseFields: Set<string>
}

/** Compiles an operator with what stands in its parentheses, '' for nothing. Throws a PlanError. */
export type Operator = (args: string, context: OperatorContext) => ReadValue

/** Operators of requests have nothing of connections. */
export function ofCall(read: (record: CallRecord) => OperatorValue): Operator {
  return () => (subject) => (subject.isCall ? read(subject) : undefined)
}

export function ofAny(read: ReadValue): Operator {
  return () => read
}

/** '' counts as what is not there. */
export function orNothing(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** The main name and the one to take else of `X?Y`. */
export function namesOf(args: string, name: string, { path }: OperatorContext): readonly [string, string] {
  const [main = '', other = '', ...rest] = args.toLowerCase().split('?')
  if (main === '' || rest.length > 0) refuse(path, `%${name}(${args})% does not name one field, or two as X?Y`)
  return [main, other]
}
