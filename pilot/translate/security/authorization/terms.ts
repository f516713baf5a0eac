import { create } from '@bufbuild/protobuf'
import {
  type Permission,
  Permission_SetSchema,
  PermissionSchema,
  type Principal,
  Principal_AuthenticatedSchema,
  Principal_SetSchema,
  PrincipalSchema,
} from '../../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import type { StringMatcher } from '../../../../api/gen/envoy/type/matcher/v3/string_pb.js'

/** How permissions and principals are put together. Both sides of a rule are built alike. */
export interface Terms<Term> {
  /** One rule, by its case in the message's oneof. */
  readonly any: Term
  and(terms: readonly Term[]): Term
  or(terms: readonly Term[]): Term
  not(term: Term): Term
}

export function permission(rule: Permission['rule']): Permission {
  return create(PermissionSchema, { rule })
}

export function principal(identifier: Principal['identifier']): Principal {
  return create(PrincipalSchema, { identifier })
}

export const permissions: Terms<Permission> = {
  any: permission({ case: 'any', value: true }),
  and: (rules) => permission({ case: 'andRules', value: create(Permission_SetSchema, { rules: [...rules] }) }),
  or: (rules) => permission({ case: 'orRules', value: create(Permission_SetSchema, { rules: [...rules] }) }),
  not: (rule) => permission({ case: 'notRule', value: rule }),
}

export const principals: Terms<Principal> = {
  any: principal({ case: 'any', value: true }),
  and: (ids) => principal({ case: 'andIds', value: create(Principal_SetSchema, { ids: [...ids] }) }),
  or: (ids) => principal({ case: 'orIds', value: create(Principal_SetSchema, { ids: [...ids] }) }),
  not: (id) => principal({ case: 'notId', value: id }),
}

/** A peer whose certificate names it so. */
export function authenticated(principalName: StringMatcher): Principal {
  return principal({ case: 'authenticated', value: create(Principal_AuthenticatedSchema, { principalName }) })
}
