import type { HeaderTemplate } from './header-template.ts'

/** What one level (cluster, route, virtual host, route configuration) does to header fields. */
export interface HeaderMutations {
  readonly request: HeaderMutation
  readonly response: HeaderMutation
}

export interface HeaderMutation {
  /** Lower-case names. */
  readonly remove: readonly string[]
  readonly overwrite: readonly HeaderValuePlan[]
  readonly append: readonly HeaderValuePlan[]
  /** True when there is nothing to do, so that most requests do nothing. */
  readonly isEmpty: boolean
}

export interface HeaderValuePlan {
  readonly name: string
  readonly lowerName: string
  readonly value: HeaderTemplate
  /** `if_absent` and `if_present` look at the field before adding; `always` does not. */
  readonly condition: 'always' | 'if_absent' | 'if_present'
  readonly keepEmpty: boolean
}

export const NO_MUTATION: HeaderMutation = { remove: [], overwrite: [], append: [], isEmpty: true }
export const NO_MUTATIONS: HeaderMutations = { request: NO_MUTATION, response: NO_MUTATION }
