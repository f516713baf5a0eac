import type { HeaderBlock } from '../stream/header-block.ts'

/** How a field is laid over what is there (envoy.config.core.v3.HeaderValueOption). */
export type FieldAction = 'set' | 'append' | 'append_if_exists' | 'add_if_absent' | 'set_if_exists'

export interface FieldChange {
  /** Lower-case. */
  readonly name: string
  readonly value: string
  readonly action: FieldAction
}

/** Changes a response. What is appended gets a line of its own: some fields, Set-Cookie above all, must not be joined. */
export function changeResponse(fields: HeaderBlock, { name, value, action }: FieldChange): void {
  switch (action) {
    case 'set':
      fields.set(name, value)
      return
    case 'append':
      fields.append(name, value)
      return
    case 'append_if_exists':
      if (fields.has(name)) fields.append(name, value)
      return
    case 'add_if_absent':
      if (!fields.has(name)) fields.append(name, value)
      return
    default:
      if (fields.has(name)) fields.set(name, value)
  }
}
