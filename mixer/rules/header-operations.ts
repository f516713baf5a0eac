import { isHeaderName } from '../../config/names.ts'
import type { FieldPath } from '../../config/object.ts'
import type { HeaderOperation } from '../../crds/kinds/mixer.ts'
import type { AttributeTypes } from '../attributes/value.ts'
import { compileExpression } from '../expression/compile.ts'
import type { Compute, Evaluation } from '../expression/evaluation.ts'
import type { ModelReport } from './report.ts'

export type Operation = 'REPLACE' | 'REMOVE' | 'APPEND'

/** What is done to one header. */
export interface HeaderChange {
  readonly operation: Operation
  readonly name: string
  /** '' where it is removed. */
  readonly value: string
}

export interface CompiledOperation {
  readonly operation: Operation
  readonly name: string
  readonly values: readonly Compute[]
}

export function compileOperations(
  operations: readonly HeaderOperation[] | undefined,
  field: 'requestHeaderOperations' | 'responseHeaderOperations',
  types: AttributeTypes,
  report: ModelReport,
): CompiledOperation[] {
  return (operations ?? []).map(({ name, values = [], operation = 'REPLACE' }, i) => {
    const path: FieldPath = ['spec', field, i]
    const header = name.toLowerCase()
    if (!isHeaderName(header.replace(/^:/, ''))) report.error([...path, 'name'], `"${name}" is no name of a header`)
    if (operation !== 'REMOVE' && values.length === 0) report.error([...path, 'values'], 'must not be empty')
    if (operation === 'REMOVE' && field === 'responseHeaderOperations') {
      report.add('LTN0101', path, 'REMOVE has no effect on responses: external authorization has no way to say it')
    }
    const computed = operation === 'REMOVE' ? [] : values
    return {
      operation,
      name: header,
      values: computed.flatMap((text, at) => {
        const expression = report.expression(compileExpression(text, types, 'STRING'), [...path, 'values', at])
        return expression === undefined ? [] : [expression.compute]
      }),
    }
  })
}

/** An operation one of whose values is absent is left out. */
export function changesOf(operations: readonly CompiledOperation[], evaluation: Evaluation): HeaderChange[] {
  const changes: HeaderChange[] = []
  for (const { operation, name, values } of operations) {
    if (operation === 'REMOVE') changes.push({ operation, name, value: '' })
    for (const [i, compute] of values.entries()) {
      evaluation.failure = ''
      const value = compute(evaluation)
      if (typeof value !== 'string') break
      // Several values of one header: the first takes the place of what was there.
      changes.push({ operation: i === 0 ? operation : 'APPEND', name, value })
    }
  }
  return changes
}
