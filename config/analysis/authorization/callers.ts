import type { AnalysisContext } from '../context.ts'
import type { Clause } from './lists.ts'

/** Why a value that names a caller means nobody; undefined when it may mean somebody. */
export function callerProblem({ attribute, values }: Clause, context: AnalysisContext): string | undefined {
  switch (attribute) {
    case 'principals':
    case 'source.principal':
      return first(values, (value) => principalProblem(value, context))
    case 'trustDomains':
    case 'source.trustDomain':
      return first(values, (value) => {
        return isOfMesh(value, context) ? undefined : `no caller is of trust domain "${value}"${meshHint(context)}`
      })
    case 'serviceAccounts':
    case 'source.serviceAccount':
      return first(values, (value) => accountProblem(value, context))
    default:
      return undefined
  }
}

function first(
  values: readonly string[] | undefined,
  problemOf: (value: string) => string | undefined,
): string | undefined {
  for (const value of values ?? []) {
    const problem = problemOf(value)
    if (problem !== undefined) return problem
  }
  return undefined
}

function principalProblem(value: string, context: AnalysisContext): string | undefined {
  if (value.startsWith('spiffe://')) return `"${value}" names nobody: identities are written without spiffe://`
  if (value.includes('*')) return undefined
  const [trustDomain = '', ns, namespace = '', sa, account = '', ...more] = value.split('/')
  if (ns !== 'ns' || sa !== 'sa' || account === '' || more.length > 0) {
    return `"${value}" names nobody: an identity is <trust domain>/ns/<namespace>/sa/<service account>`
  }
  if (!isOfMesh(trustDomain, context)) return `no caller is of trust domain "${trustDomain}"${meshHint(context)}`
  return accountProblem(`${namespace}/${account}`, context)
}

/** Istio takes cluster.local for the mesh's own trust domain, whatever that is called. */
function isOfMesh(value: string, { trustDomains }: AnalysisContext): boolean {
  if (value === 'cluster.local') return true
  if (value.startsWith('*')) return trustDomains.some((domain) => domain.endsWith(value.slice(1)))
  return trustDomains.some((domain) => (value.endsWith('*') ? domain.startsWith(value.slice(0, -1)) : domain === value))
}

function meshHint({ trustDomains }: AnalysisContext): string {
  return `; those of the mesh are of ${trustDomains.join(', ')}`
}

/** Known only where workloads of the namespace are: others may come from elsewhere. */
function accountProblem(value: string, context: AnalysisContext): string | undefined {
  const slash = value.indexOf('/')
  const namespace = value.slice(0, slash)
  const account = value.slice(slash + 1)
  if (slash < 0) return undefined
  const accounts = context.workloads.filter((one) => one.namespace === namespace).map((one) => one.serviceAccount)
  if (accounts.length === 0 || accounts.includes(account)) return undefined
  return `no workload of namespace "${namespace}" runs as service account "${account}"`
}
