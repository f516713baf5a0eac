import { type Static, Type } from '@sinclair/typebox'
import { message } from '../schema.ts'
import { MatchLabelsSelector } from './common.ts'
import { body } from './object.ts'

export const AuthorizationPolicySpec = message(
  { selector: Type.Optional(MatchLabelsSelector), rules: Type.Optional(Type.Array(message({}))) },
  'Who may call a workload, and for what.',
)
export type AuthorizationPolicySpec = Static<typeof AuthorizationPolicySpec>

export const AuthorizationPolicyBody = body(AuthorizationPolicySpec)
export type AuthorizationPolicyBody = Static<typeof AuthorizationPolicyBody>
