import { hostOfIstioService } from '../../config/istio-service.ts'
import type { ConfigObject } from '../../config/object.ts'
import { didYouMean } from '../../config/validate/suggest.ts'
import type { QuotaSpecBindingBody, QuotaSpecBody } from '../../crds/kinds/mixer.ts'
import { compileSafeRegex } from '../../lib/safe-regex.ts'
import { splitReference } from '../attributes/text.ts'
import { type AttributeTypes, mapValue, type StringMap, type Value } from '../attributes/value.ts'
import type { Evaluation } from '../expression/evaluation.ts'
import { candidates } from '../rules/names.ts'
import type { ModelReport } from '../rules/report.ts'

/** Of which quota how much is taken; by the key of the quota's instance. */
export interface Charge {
  readonly quota: string
  readonly amount: number
}

type Matcher = (evaluation: Evaluation) => boolean

interface SpecRule {
  /** One of them must hold; none: it always does. */
  readonly matches: readonly Matcher[]
  readonly charges: readonly Charge[]
}

export type CompiledSpec = readonly SpecRule[]

/** undefined when something of it is wrong, which is reported. */
export function compileQuotaSpec(
  object: ConfigObject<QuotaSpecBody>,
  types: AttributeTypes,
  isQuota: (key: string) => boolean,
  report: ModelReport,
): CompiledSpec | undefined {
  const rules = (object.body.spec.rules ?? []).map(({ match = [], quotas = [] }, i): SpecRule => {
    const matches = match.map(({ clause = {} }, at) => {
      const parts = Object.entries(clause).map(([attribute, text]) =>
        compileClause(attribute, text, ['spec', 'rules', i, 'match', at, 'clause', attribute], types, report),
      )
      return (evaluation: Evaluation) => parts.every((part) => part(evaluation))
    })
    const charges = quotas.flatMap(({ quota, charge = 1 }, at): Charge[] => {
      const key = candidates(quota, object.metadata.namespace, 'instance').find(isQuota)
      if (key !== undefined) return [{ quota: key, amount: charge }]
      report.add('IST0101', ['spec', 'rules', i, 'quotas', at, 'quota'], `no instance of template quota is "${quota}"`)
      return []
    })
    return { matches, charges }
  })
  return report.hasErrors ? undefined : rules
}

function compileClause(
  attribute: string,
  { exact, prefix, regex }: { exact?: string; prefix?: string; regex?: string },
  path: readonly (string | number)[],
  types: AttributeTypes,
  report: ModelReport,
): Matcher {
  const { name, key } = splitReference(attribute)
  if (!types.has(name)) report.error(path, `"${name}" is no attribute${didYouMean(name, [...types.keys()])}`)
  const compiled = regex === undefined ? undefined : compileSafeRegex(regex)
  if (compiled?.ok === false) report.error([...path, 'regex'], compiled.error)
  const test = (text: string) => {
    if (exact !== undefined) return text === exact
    if (prefix !== undefined) return text.startsWith(prefix)
    return compiled?.ok === true ? compiled.regex.fullMatch(text) : true
  }
  return (evaluation) => {
    const value = read(evaluation, name, key)
    return value !== undefined && test(String(value))
  }
}

function read(evaluation: Evaluation, name: string, key?: string): Value | undefined {
  const value = evaluation.bag.get(name)
  const entry = value === undefined || key === undefined ? value : mapValue(value as StringMap, key)
  evaluation.note(name, value === undefined ? undefined : key, entry !== undefined)
  return entry
}

/** Which services specs hold for. */
export interface CompiledBinding {
  readonly services: readonly { host: string | undefined; labels: readonly (readonly [string, string])[] }[]
  readonly specs: readonly CompiledSpec[]
}

export function compileBinding(
  object: ConfigObject<QuotaSpecBindingBody>,
  specs: ReadonlyMap<string, CompiledSpec>,
  domain: string,
  report: ModelReport,
): CompiledBinding | undefined {
  const { namespace } = object.metadata
  const { services = [], quotaSpecs = [] } = object.body.spec
  const bound: CompiledSpec[] = []
  for (const [i, reference] of quotaSpecs.entries()) {
    const key = `${reference.namespace || namespace}/${reference.name}`
    const spec = specs.get(key)
    if (spec === undefined) report.add('IST0101', ['spec', 'quotaSpecs', i], `QuotaSpec "${key}" does not exist`)
    else bound.push(spec)
  }
  const hosts = services.map((service, i) => {
    if (!service.service && !service.name && service.labels === undefined) {
      report.error(['spec', 'services', i], 'needs a name, a service or labels')
    }
    return { host: hostOfIstioService(service, namespace, domain), labels: Object.entries(service.labels ?? {}) }
  })
  return report.hasErrors ? undefined : { services: hosts, specs: bound }
}

/** What a call is charged, over all that is bound to the service that it goes to. The same quota more than once adds up. */
export function chargesOf(bindings: readonly CompiledBinding[], evaluation: Evaluation): Charge[] {
  if (bindings.length === 0) return []
  const charges = new Map<string, number>()
  const seen = new Set<CompiledSpec>()
  for (const { services, specs } of bindings) {
    if (!services.some((service) => isMeant(service, evaluation))) continue
    for (const spec of specs) {
      if (seen.has(spec)) continue
      seen.add(spec)
      for (const rule of spec) {
        if (rule.matches.length > 0 && !rule.matches.some((match) => match(evaluation))) continue
        for (const { quota, amount } of rule.charges) charges.set(quota, (charges.get(quota) ?? 0) + amount)
      }
    }
  }
  return [...charges].map(([quota, amount]) => ({ quota, amount }))
}

function isMeant({ host, labels }: CompiledBinding['services'][number], evaluation: Evaluation): boolean {
  if (host !== undefined && host !== read(evaluation, 'destination.service.host')) return false
  return labels.every(([key, value]) => read(evaluation, 'destination.labels', key) === value)
}
