import { type TSchema, Type } from '@sinclair/typebox'
import { message, partial } from '../schema.ts'

/**
 * The whole object around a spec of ours. Its metadata is read and checked where objects are parsed; its status is
 * written by others and not ours to judge.
 */
export function body<T extends TSchema>(spec: T) {
  return message({
    apiVersion: Type.String(),
    kind: Type.String(),
    metadata: Type.Optional(partial({})),
    spec,
    status: Type.Optional(partial({})),
  })
}
