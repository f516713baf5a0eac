import { type Static, Type } from '@sinclair/typebox'
import { partial, stringMap } from '../schema.ts'

/** The parts of a Kubernetes Secret (v1) that we read. Nothing of what it holds may be shown anywhere. */
export const SecretBody = partial({
  type: Type.Optional(Type.String()),
  /** In base64. */
  data: Type.Optional(stringMap()),
  /** As it is; goes before `data`. */
  stringData: Type.Optional(stringMap()),
})
export type SecretBody = Static<typeof SecretBody>
