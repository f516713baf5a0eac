import { type Static, Type } from '@sinclair/typebox'
import { message } from '../schema.ts'
import { MatchLabelsSelector } from './common.ts'
import { body } from './object.ts'

export const RequestAuthenticationSpec = message(
  { selector: Type.Optional(MatchLabelsSelector), jwtRules: Type.Optional(Type.Array(message({}))) },
  'Whose tokens a workload believes.',
)
export type RequestAuthenticationSpec = Static<typeof RequestAuthenticationSpec>

export const RequestAuthenticationBody = body(RequestAuthenticationSpec)
export type RequestAuthenticationBody = Static<typeof RequestAuthenticationBody>
