import type { FieldPath } from '../../object.ts'
import type { Analyzer } from '../analyzer.ts'
import type { AnalysisContext } from '../context.ts'
import { callerProblem } from './callers.ts'
import { type Clause, clausesOf, type RuleClauses } from './lists.ts'
import { actionOf, type Policy, reachOf, selectorOf } from './policies.ts'
import { type KnownPort, knownPorts } from './ports.ts'
import { allCovered } from './values.ts'

/** Rules, and parts of rules, that no call can meet. */
export const rulesThatNeverMatch: Analyzer = {
  name: 'authorization-never-matches',
  codes: ['LTN0201'],
  analyze(context) {
    for (const policy of context.all('AuthorizationPolicy')) {
      const workloads = context.workloadsWith(selectorOf(policy), reachOf(policy, context.rootNamespace))
      const ports = knownPorts(workloads, context)
      policy.body.spec.rules?.forEach((rule, i) => {
        const clauses = clausesOf(rule, policy.metadata.namespace)
        checkRule(policy, clauses, ['spec', 'rules', i], ports, context)
      })
    }
  },
}

function checkRule(
  policy: Policy,
  { sources, operations, conditions }: RuleClauses,
  path: FieldPath,
  ports: readonly KnownPort[] | undefined,
  context: AnalysisContext,
): void {
  for (const clause of [...sources.flat(), ...operations.flat(), ...conditions]) {
    const problem =
      contradiction(clause) ?? methodProblem(clause) ?? callerProblem(clause, context) ?? portProblem(clause, ports)
    if (problem !== undefined) context.report('LTN0201', policy, [...path, ...clause.path], problem)
  }
  if (actionOf(policy) !== 'ALLOW' || ports === undefined) return
  const http = [...sources.flat(), ...conditions].find((clause) => clause.isHttp)
  for (const [i, operation] of operations.entries()) {
    const first = http ?? operation.find((clause) => clause.isHttp)
    if (first === undefined) continue
    const wanted = operation.find(({ attribute }) => attribute === 'ports')?.values
    const meant = wanted === undefined ? ports : ports.filter(({ number }) => wanted.includes(String(number)))
    if (meant.length === 0 || meant.some(({ isHttp }) => isHttp !== false)) continue
    const where = meant.map(({ number }) => number).join(', ')
    const at = operations.length > 1 ? [...path, 'to', i] : [...path, ...first.path]
    context.report(
      'LTN0201',
      policy,
      at,
      `never allows a call: no HTTP is spoken on port ${where}, and ${first.attribute} is of HTTP`,
    )
  }
}

function contradiction({ values, notValues, kind, attribute }: Clause): string | undefined {
  if (values === undefined || notValues === undefined || !allCovered(values, notValues, kind)) return undefined
  return `is never met: what is wanted of ${attribute} is also excluded`
}

/** The methods that Envoy and our proxies pass. */
const METHODS =
  `ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE MSEARCH NOTIFY
  OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK
  UNSUBSCRIBE`.split(/\s+/)

function methodProblem({ attribute, values }: Clause): string | undefined {
  if (attribute !== 'methods') return undefined
  const unknown = values?.find((value) => !allMethods(value))
  if (unknown === undefined) return undefined
  const upper = unknown.toUpperCase()
  const hint = allMethods(upper) ? `; write ${upper}, since case counts` : ''
  return `"${unknown}" is no method of a call that is passed${hint}`
}

function allMethods(value: string): boolean {
  if (value.startsWith('*')) return METHODS.some((method) => method.endsWith(value.slice(1)))
  return METHODS.some((method) => (value.endsWith('*') ? method.startsWith(value.slice(0, -1)) : method === value))
}

function portProblem({ attribute, values }: Clause, ports: readonly KnownPort[] | undefined): string | undefined {
  if ((attribute !== 'ports' && attribute !== 'destination.port') || ports === undefined) return undefined
  const unknown = values?.find((value) => !ports.some(({ number }) => String(number) === value))
  if (unknown === undefined) return undefined
  const behind = ports.find(({ servicePort }) => String(servicePort) === unknown)
  const hint = behind === undefined ? '' : `; calls to port ${unknown} of the service come to port ${behind.number}`
  return `no service sends calls to port ${unknown} of the workloads${hint}`
}
