import type { AuthorizationRule, Condition, Operation, Source } from '../../../crds/kinds/authorization-policy.ts'
import { parseAttribute } from '../../authorization-attributes.ts'
import type { FieldPath } from '../../object.ts'
import type { ValueKind } from './values.ts'

/** What one attribute of a rule must be, and must not be, wherever in the rule that is written. */
export interface Clause {
  /** The name of the list, or the key of the condition. */
  readonly attribute: string
  readonly kind: ValueKind
  readonly values: readonly string[] | undefined
  readonly notValues: readonly string[] | undefined
  /** Of `values`, below the rule. */
  readonly path: FieldPath
  readonly isHttp: boolean
}

type Fields<T> = readonly (readonly [
  values: keyof T & string,
  notValues: keyof T & string,
  kind: ValueKind,
  isHttp: boolean,
])[]

const SOURCE: Fields<Source> = [
  ['principals', 'notPrincipals', 'text', false],
  ['requestPrincipals', 'notRequestPrincipals', 'text', true],
  ['namespaces', 'notNamespaces', 'text', false],
  ['serviceAccounts', 'notServiceAccounts', 'text', false],
  ['trustDomains', 'notTrustDomains', 'text', false],
  ['ipBlocks', 'notIpBlocks', 'address', false],
  ['remoteIpBlocks', 'notRemoteIpBlocks', 'address', false],
]
const OPERATION: Fields<Operation> = [
  ['hosts', 'notHosts', 'host', true],
  ['methods', 'notMethods', 'text', true],
  ['paths', 'notPaths', 'text', true],
  ['ports', 'notPorts', 'text', false],
]

export function sourceClauses(source: Source, path: FieldPath, namespace: string): Clause[] {
  return clauses(source, SOURCE, path).map((clause) => {
    if (clause.attribute !== 'serviceAccounts') return clause
    // A name alone is of the policy's namespace.
    const whole = (list: readonly string[] | undefined) =>
      list?.map((account) => (account.includes('/') ? account : `${namespace}/${account}`))
    return { ...clause, values: whole(clause.values), notValues: whole(clause.notValues) }
  })
}

export function operationClauses(operation: Operation, path: FieldPath): Clause[] {
  return clauses(operation, OPERATION, path)
}

function clauses<T extends object>(of: T, fields: Fields<T>, path: FieldPath): Clause[] {
  const lists = of as Readonly<Record<string, readonly string[] | undefined>>
  return fields.flatMap(([name, notName, kind, isHttp]) => {
    const [values, notValues] = [lists[name], lists[notName]]
    if (values === undefined && notValues === undefined) return []
    const at = values === undefined ? notName : name
    return [{ attribute: name, kind, values, notValues, path: [...path, at], isHttp }]
  })
}

export function conditionClause({ key, values, notValues }: Condition, path: FieldPath): Clause {
  const attribute = parseAttribute(key)
  const kind = attribute?.form === 'address' ? 'address' : 'text'
  const at = [...path, values === undefined ? 'notValues' : 'values']
  return { attribute: key, kind, values, notValues, path: at, isHttp: attribute?.isHttp ?? false }
}

/** A rule as it is judged: one of the sources, one of the operations, and all conditions. */
export interface RuleClauses {
  readonly sources: readonly (readonly Clause[])[]
  readonly operations: readonly (readonly Clause[])[]
  readonly conditions: readonly Clause[]
}

/** `namespace` is that of the policy. */
export function clausesOf({ from, to, when }: AuthorizationRule, namespace: string): RuleClauses {
  return {
    sources: from?.map(({ source = {} }, i) => sourceClauses(source, ['from', i, 'source'], namespace)) ?? [[]],
    operations: to?.map(({ operation = {} }, i) => operationClauses(operation, ['to', i, 'operation'])) ?? [[]],
    conditions: when?.map((condition, i) => conditionClause(condition, ['when', i])) ?? [],
  }
}
