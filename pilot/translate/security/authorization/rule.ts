import { create } from '@bufbuild/protobuf'
import {
  type Permission,
  type Policy,
  PolicySchema,
  type Principal,
} from '../../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import type { AuthorizationRule, Condition, Operation, Source } from '../../../../crds/kinds/authorization-policy.ts'
import { cidrRange } from '../../address.ts'
import { conditionSide, conditionTerm, type RuleContext } from './condition.ts'
import { namespaceText, principalText, serviceAccountText, trustDomainText, withAliases } from './identity.ts'
import { headerMatcher } from './matchers.ts'
import { pathPermission } from './path.ts'
import { authenticated, permission, permissions, principal, principals, type Terms } from './terms.ts'
import { requestPrincipal } from './token.ts'

/** Values of one attribute, of which one must be met, and those of which none may be. */
interface Clause<Term> {
  readonly values: readonly string[] | undefined
  readonly notValues: readonly string[] | undefined
  /** undefined for what a connection of bytes has not. */
  readonly term: (value: string) => Term | undefined
}

/** A rule asks for what cannot be known here, so that nothing meets it. */
class Unknowable extends Error {}

/**
 * Istio's translation of one rule (pilot/pkg/security/authz/model). undefined when the rule can never be met: one of an ALLOW policy
 * that asks a connection of bytes for what only HTTP has. Other actions leave out what cannot be known and apply to more.
 */
export function rulePolicy(rule: AuthorizationRule, context: RuleContext): Policy | undefined {
  const { from = [], to = [], when = [] } = rule
  const forSources = when.filter(({ key }) => conditionSide(key) === 'principal')
  const forOperations = when.filter(({ key }) => conditionSide(key) === 'permission')
  const sources = from.length === 0 ? [undefined] : from.map(({ source }) => source)
  const operations = to.length === 0 ? [undefined] : to.map(({ operation }) => operation)
  try {
    return create(PolicySchema, {
      permissions: operations.map((operation) => {
        const clauses = [
          ...operationClauses(operation, context),
          ...forOperations.map((one) => permissionWhen(one, context)),
        ]
        return allOf(clauses, permissions, context)
      }),
      principals: sources.map((source) => {
        const clauses = [...sourceClauses(source, context), ...forSources.map((one) => principalWhen(one, context))]
        return allOf(clauses, principals, context)
      }),
    })
  } catch (thrown) {
    if (thrown instanceof Unknowable) return undefined
    throw thrown
  }
}

function allOf<Term>(clauses: readonly Clause<Term>[], terms: Terms<Term>, context: RuleContext): Term {
  const all: Term[] = []
  for (const { values = [], notValues = [], term } of clauses) {
    const wanted = known(values, term, context)
    if (wanted.length > 0) all.push(terms.or(wanted))
    const unwanted = known(notValues, term, context)
    if (unwanted.length > 0) all.push(terms.not(terms.or(unwanted)))
  }
  return terms.and(all.length === 0 ? [terms.any] : all)
}

function known<Term>(values: readonly string[], term: Clause<Term>['term'], { action }: RuleContext): Term[] {
  const terms: Term[] = []
  for (const value of values) {
    const one = term(value)
    if (one !== undefined) terms.push(one)
    else if (action === 'ALLOW') throw new Unknowable()
  }
  return terms
}

function operationClauses(operation: Operation | undefined, { isTcp }: RuleContext): Clause<Permission>[] {
  if (operation === undefined) return []
  const ofHttp = (term: (value: string) => Permission) => (isTcp ? () => undefined : term)
  const header = (name: string, ignoreCase: boolean) =>
    ofHttp((value) => permission({ case: 'header', value: headerMatcher(name, value, ignoreCase) }))
  return [
    { values: operation.hosts, notValues: operation.notHosts, term: header(':authority', true) },
    { values: operation.methods, notValues: operation.notMethods, term: header(':method', false) },
    { values: operation.paths, notValues: operation.notPaths, term: ofHttp(pathPermission) },
    {
      values: operation.ports,
      notValues: operation.notPorts,
      term: (value) => permission({ case: 'destinationPort', value: Number(value) }),
    },
  ]
}

function sourceClauses(source: Source | undefined, context: RuleContext): Clause<Principal>[] {
  if (source === undefined) return []
  const { isTcp, namespace, options } = context
  const aliased = (values: readonly string[] | undefined) => values?.flatMap((value) => withAliases(value, options))
  return [
    {
      values: aliased(source.principals),
      notValues: aliased(source.notPrincipals),
      term: (value) => authenticated(principalText(value)),
    },
    {
      values: source.requestPrincipals,
      notValues: source.notRequestPrincipals,
      term: isTcp ? () => undefined : requestPrincipal,
    },
    {
      values: source.namespaces,
      notValues: source.notNamespaces,
      term: (value) => authenticated(namespaceText(value)),
    },
    {
      values: source.serviceAccounts,
      notValues: source.notServiceAccounts,
      term: (value) => authenticated(serviceAccountText(value, namespace)),
    },
    {
      values: source.trustDomains,
      notValues: source.notTrustDomains,
      term: (value) => authenticated(trustDomainText(value)),
    },
    {
      values: source.remoteIpBlocks,
      notValues: source.notRemoteIpBlocks,
      term: (value) => principal({ case: 'remoteIp', value: cidrRange(value) }),
    },
    {
      values: source.ipBlocks,
      notValues: source.notIpBlocks,
      term: (value) => principal({ case: 'directRemoteIp', value: cidrRange(value) }),
    },
  ]
}

function permissionWhen({ key, values, notValues }: Condition, context: RuleContext): Clause<Permission> {
  const term = conditionTerm(key, context)
  return { values, notValues, term: (value) => term?.permission?.(value) }
}

function principalWhen({ key, values, notValues }: Condition, context: RuleContext): Clause<Principal> {
  const term = conditionTerm(key, context)
  const isPrincipal = key === 'source.principal'
  const aliased = (list: readonly string[] | undefined) =>
    isPrincipal ? list?.flatMap((value) => withAliases(value, context.options)) : list
  return { values: aliased(values), notValues: aliased(notValues), term: (value) => term?.principal?.(value) }
}
