import type { ClientTLSSettings, DestinationRuleSpec } from '../../crds/kinds/destination-rule.ts'
import type { SecretBody } from '../../crds/kinds/secret.ts'
import {
  certificateProblem,
  certificatesIn,
  lifeOfCertificate,
  readCredential,
  rootsProblem,
} from '../credential/credential.ts'
import { type CredentialUse, clientCredentials, ROOTS_SUFFIX, serverCredentials } from '../credential/uses.ts'
import type { ConfigObject, FieldPath } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import { type AnalysisContext, append } from './context.ts'

type Secret = ConfigObject<SecretBody>

/** The Secrets that Gateways and DestinationRules name must be there, and hold what is needed of them. */
export const credentials: Analyzer = {
  name: 'credentials',
  codes: ['IST0101', 'IST0161', 'LTN0110'],
  analyze(context) {
    const secrets = new Map<string, Secret[]>()
    for (const secret of context.all('Secret')) append(secrets, secret.metadata.name, secret)
    for (const gateway of context.all('Gateway')) {
      const { servers = [], selector = {} } = gateway.body.spec
      const namespaces = new Set(context.workloadsWith(selector).map(({ namespace }) => namespace))
      servers.forEach(({ tls }, index) => {
        const path = ['spec', 'servers', index, 'tls']
        checkUses(serverCredentials(tls), gateway, path, namespaces, secrets, context)
      })
    }
    const hasGateways = context.all('Gateway').length > 0
    for (const rule of context.all('DestinationRule')) {
      const isForSidecars = rule.body.spec.workloadSelector !== undefined
      const namespaces = new Set(isForSidecars ? [rule.metadata.namespace] : [])
      for (const { tls, path } of tlsBlocks(rule.body.spec)) {
        const uses = clientCredentials(tls)
        checkUses(uses, rule, path, namespaces, secrets, context)
        if (uses.length === 0 || isForSidecars || hasGateways) continue
        const message = 'is for gateways, of which there are none; for sidecars the rule needs a workloadSelector'
        context.report('LTN0110', rule, [...path, 'credentialName'], message)
      }
    }
  },
}

function* tlsBlocks(spec: DestinationRuleSpec): Generator<{ tls: ClientTLSSettings | undefined; path: FieldPath }> {
  const policies: [DestinationRuleSpec['trafficPolicy'], FieldPath][] = [
    [spec.trafficPolicy, ['spec', 'trafficPolicy']],
    ...(spec.subsets ?? []).map((subset, i): [DestinationRuleSpec['trafficPolicy'], FieldPath] => [
      subset.trafficPolicy,
      ['spec', 'subsets', i, 'trafficPolicy'],
    ]),
  ]
  for (const [policy, path] of policies) {
    yield { tls: policy?.tls, path: [...path, 'tls'] }
    for (const [i, { tls }] of (policy?.portLevelSettings ?? []).entries()) {
      yield { tls, path: [...path, 'portLevelSettings', i, 'tls'] }
    }
  }
}

/** `namespaces`: where the proxies run that need the Secret; empty when that is not known, and then any will do. */
function checkUses(
  uses: readonly CredentialUse[],
  object: ConfigObject<unknown>,
  at: FieldPath,
  namespaces: ReadonlySet<string>,
  secrets: ReadonlyMap<string, readonly Secret[]>,
  context: AnalysisContext,
): void {
  for (const { secret: name, needs, path } of uses) {
    const places = namespaces.size === 0 ? [undefined] : [...namespaces].sort()
    for (const namespace of places) {
      const inPlace = (one: Secret) => namespace === undefined || one.metadata.namespace === namespace
      const find = (wanted: string) => (secrets.get(wanted) ?? []).filter(inPlace)
      const apart = needs === 'roots' ? find(`${name}${ROOTS_SUFFIX}`) : []
      const found = apart.length > 0 ? apart : find(name)
      if (found.length === 0) {
        const where = namespace === undefined ? '' : ` in namespace "${namespace}", where the proxies are`
        // Of one Secret both may be needed: that it is not there is said once.
        if (needs === 'roots' && uses.some((use) => use.needs === 'certificate' && use.secret === name)) continue
        context.report('IST0101', object, [...at, ...path], `Secret "${name}" does not exist${where}`)
        continue
      }
      const problems = found.map((one) => problemOf(one, needs, context.nowMs))
      // Where it is not known which is meant, one that is good is enough.
      const problem = problems.includes('') ? '' : (problems[0] as string)
      if (problem !== '') context.report('IST0161', object, [...at, ...path], `Secret "${name}" ${problem}`)
    }
  }
}

function problemOf({ body }: Secret, needs: CredentialUse['needs'], nowMs: number | undefined): string {
  const credential = readCredential(body)
  const problem = needs === 'certificate' ? certificateProblem(credential) : rootsProblem(credential)
  if (problem !== '' || nowMs === undefined) return problem
  const { certificate, roots = '' } = credential
  if (needs === 'certificate') return lifeProblem(certificate?.chain ?? '', 'its certificate', nowMs)
  // One root that is still valid is enough.
  const ofRoots = certificatesIn(roots).map((pem) => lifeProblem(pem, 'a root in it', nowMs))
  return ofRoots.includes('') ? '' : (ofRoots[0] ?? '')
}

function lifeProblem(pem: string, what: string, nowMs: number): string {
  const { startMs, endMs } = lifeOfCertificate(pem)
  if (nowMs > endMs) return `is of no use: ${what} expired ${new Date(endMs).toISOString()}`
  return nowMs < startMs ? `is of no use yet: ${what} begins ${new Date(startMs).toISOString()}` : ''
}
