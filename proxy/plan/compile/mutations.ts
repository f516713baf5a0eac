import {
  HeaderValueOption_HeaderAppendAction as Action,
  type HeaderValueOption,
} from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import { type HeaderMutation, type HeaderMutations, type HeaderValuePlan, NO_MUTATION } from '../header-mutations.ts'
import { compileTemplate } from '../header-template.ts'
import { refuse } from '../plan-error.ts'
import { fieldName } from '../wire-text.ts'

interface MutationFields {
  requestHeadersToAdd: HeaderValueOption[]
  requestHeadersToRemove: string[]
  responseHeadersToAdd: HeaderValueOption[]
  responseHeadersToRemove: string[]
}

/** The four header lists that routes, virtual hosts, route configurations and weighted clusters all have. */
export function compileMutations(fields: MutationFields, path: string): HeaderMutations {
  return {
    request: compileMutation(fields.requestHeadersToAdd, fields.requestHeadersToRemove, `${path}.request_headers`),
    response: compileMutation(fields.responseHeadersToAdd, fields.responseHeadersToRemove, `${path}.response_headers`),
  }
}

/** One list of fields to add, and one of names to remove. */
export function compileMutation(
  add: readonly HeaderValueOption[],
  remove: readonly string[],
  path: string,
): HeaderMutation {
  if (add.length === 0 && remove.length === 0) return NO_MUTATION
  const overwrite: HeaderValuePlan[] = []
  const append: HeaderValuePlan[] = []
  add.forEach((option, i) => {
    const at = `${path}_to_add[${i}]`
    const written = option.header?.key ?? ''
    if (written === '') refuse(at, 'a header name is needed')
    if (written.startsWith(':') || written.toLowerCase() === 'host') refuse(at, `${written} cannot be changed here`)
    const name = fieldName(written, at)
    const lowerName = name.toLowerCase()
    const value = compileTemplate(option.header?.value ?? '', at)
    const plan = { name, lowerName, value, keepEmpty: option.keepEmptyValue }
    // The older `append` flag, when present, speaks instead of append_action.
    const action = option.append === false ? Action.OVERWRITE_IF_EXISTS_OR_ADD : option.appendAction
    if (action === Action.ADD_IF_ABSENT) append.push({ ...plan, condition: 'if_absent' })
    else if (action === Action.OVERWRITE_IF_EXISTS_OR_ADD) overwrite.push({ ...plan, condition: 'always' })
    else if (action === Action.OVERWRITE_IF_EXISTS) overwrite.push({ ...plan, condition: 'if_present' })
    else append.push({ ...plan, condition: 'always' })
  })
  remove.forEach((name, i) => {
    if (name.startsWith(':') || name.toLowerCase() === 'host')
      refuse(`${path}_to_remove[${i}]`, `${name} cannot be removed`)
  })
  return { remove: remove.map((name) => name.toLowerCase()), overwrite, append, isEmpty: false }
}
