import type { Finding } from '../../config/finding.ts'
import { type ConfigObject, objectKey, refOf } from '../../config/object.ts'
import { didYouMean } from '../../config/validate/suggest.ts'
import {
  type AttributeManifestBody,
  type HandlerBody,
  type InstanceBody,
  type QuotaSpecBindingBody,
  type QuotaSpecBody,
  type RuleBody,
  TYPED_HANDLERS,
  TYPED_INSTANCES,
} from '../../crds/kinds/mixer.ts'
import { ADAPTER_NAMES, findAdapter } from '../adapters/builtin.ts'
import type { AttributeTypes, ValueType } from '../attributes/value.ts'
import { VOCABULARY } from '../attributes/vocabulary.ts'
import { type CompiledBinding, type CompiledSpec, compileBinding, compileQuotaSpec } from '../quota/specs.ts'
import { DEFAULT_ATTRIBUTE_RULE } from './defaults.ts'
import { type CompiledInstance, compileInstance } from './instance.ts'
import { keyOf } from './names.ts'
import { readParams } from './params.ts'
import { ModelReport } from './report.ts'
import { compileRule, type HandlerPlan, type RulePlan } from './rule.ts'
import { TEMPLATES } from './templates.ts'

export interface ModelOptions {
  /** Whose rules hold for every namespace. */
  readonly rootNamespace?: string
  /** The cluster's DNS domain. */
  readonly domain?: string
}

/** All that the mixer is told, compiled. Immutable. */
export interface Model {
  readonly types: AttributeTypes
  readonly rootNamespace: string
  readonly handlers: ReadonlyMap<string, HandlerPlan>
  readonly instances: ReadonlyMap<string, CompiledInstance>
  /** Those of the root namespace first, then by age. */
  readonly rules: readonly RulePlan[]
  readonly bindings: readonly CompiledBinding[]
  readonly findings: readonly Finding[]
}

export const DEFAULT_ROOT_NAMESPACE = 'istio-system'
const GROUP = 'config.istio.io/'

type Compile<T, Body> = (object: ConfigObject<Body>, report: ModelReport) => T | undefined

/**
 * Makes models of what the configuration says, each after the one before: an object that cannot be compiled any more stays in the
 * last version that could, as long as it is there at all.
 */
export class ModelCompiler {
  readonly #rootNamespace: string
  readonly #domain: string
  /** The last version of each object that was good. */
  #good = new Map<string, ConfigObject>()
  #findings: Finding[] = []

  constructor({ rootNamespace = DEFAULT_ROOT_NAMESPACE, domain = 'cluster.local' }: ModelOptions = {}) {
    this.#rootNamespace = rootNamespace
    this.#domain = domain
  }

  compile(objects: readonly ConfigObject[]): Model {
    const own = objects.filter(({ apiVersion }) => apiVersion.startsWith(GROUP))
    this.#findings = []
    this.#good = new Map(
      own.flatMap((object) => {
        const key = objectKey(refOf(object))
        const good = this.#good.get(key)
        return good === undefined ? [] : [[key, good] as const]
      }),
    )
    const ofKind = <Body>(kind: string) => own.filter((one) => one.kind === kind) as unknown as ConfigObject<Body>[]
    const types = this.#attributes(ofKind('attributemanifest'))
    const handlers = this.#handlers(own)
    const instances = this.#instances(own, types)
    const rules: RulePlan[] = []
    const parts = { types, handlers, instances }
    for (const object of ofKind<RuleBody>('rule').sort((a, b) => this.#order(a, b))) {
      const rule = this.#lastGood(object, (one: ConfigObject<RuleBody>, report) => compileRule(one, parts, report))
      if (rule !== undefined) rules.push(rule)
    }
    const specs = new Map<string, CompiledSpec>()
    const isQuota = (key: string) => instances.get(key)?.template.variety === 'QUOTA'
    for (const object of ofKind<QuotaSpecBody>('QuotaSpec')) {
      const spec = this.#lastGood(object, (one: ConfigObject<QuotaSpecBody>, report) =>
        compileQuotaSpec(one, types, isQuota, report),
      )
      if (spec !== undefined) specs.set(`${object.metadata.namespace}/${object.metadata.name}`, spec)
    }
    const bindings: CompiledBinding[] = []
    for (const object of ofKind<QuotaSpecBindingBody>('QuotaSpecBinding')) {
      const binding = this.#lastGood(object, (one: ConfigObject<QuotaSpecBindingBody>, report) =>
        compileBinding(one, specs, this.#domain, report),
      )
      if (binding !== undefined) bindings.push(binding)
    }
    if (![...instances.values()].some(({ template }) => template.variety === 'ATTRIBUTE_GENERATOR')) {
      rules.push(DEFAULT_ATTRIBUTE_RULE)
      handlers.set(DEFAULT_ATTRIBUTE_RULE.actions[0]!.handler.key, DEFAULT_ATTRIBUTE_RULE.actions[0]!.handler)
    }
    return { types, rootNamespace: this.#rootNamespace, handlers, instances, rules, bindings, findings: this.#findings }
  }

  #order(a: ConfigObject<unknown>, b: ConfigObject<unknown>): number {
    const rank = (one: ConfigObject<unknown>) => (one.metadata.namespace === this.#rootNamespace ? 0 : 1)
    return rank(a) - rank(b) || a.age - b.age
  }

  /** What an object means, or what its last good version meant. */
  #lastGood<T, Body>(object: ConfigObject<Body>, compile: Compile<T, Body>): T | undefined {
    const key = objectKey(refOf(object))
    const report = new ModelReport(object)
    const compiled = compile(object, report)
    this.#findings.push(...report.findings)
    if (compiled !== undefined) {
      this.#good.set(key, object as ConfigObject)
      return compiled
    }
    const good = this.#good.get(key)
    return good === undefined || good === (object as unknown)
      ? undefined
      : compile(good as unknown as ConfigObject<Body>, new ModelReport(good))
  }

  #attributes(manifests: readonly ConfigObject<AttributeManifestBody>[]): AttributeTypes {
    const types = new Map<string, ValueType>(VOCABULARY)
    for (const manifest of manifests) {
      const report = new ModelReport(manifest)
      for (const [name, { valueType }] of Object.entries(manifest.body.spec.attributes ?? {})) {
        const known = types.get(name)
        if (known === undefined) types.set(name, valueType)
        else if (known !== valueType) {
          const path = ['spec', 'attributes', name, 'valueType']
          report.add('LTN0404', path, `"${name}" is a ${known}, and stays one`)
        }
      }
      this.#findings.push(...report.findings)
    }
    return types
  }

  #handlers(objects: readonly ConfigObject[]): Map<string, HandlerPlan> {
    const plans = new Map<string, HandlerPlan>()
    for (const object of objects) {
      const isTyped = Object.hasOwn(TYPED_HANDLERS, object.kind)
      if (object.kind !== 'handler' && !isTyped) continue
      const { name, namespace } = object.metadata
      const plan = this.#lastGood(object, (one, report) => handlerPlan(one, isTyped, report))
      if (plan !== undefined) plans.set(keyOf(name, object.kind, namespace), plan)
    }
    return plans
  }

  #instances(objects: readonly ConfigObject[], types: AttributeTypes): Map<string, CompiledInstance> {
    const instances = new Map<string, CompiledInstance>()
    for (const object of objects) {
      const isTyped = Object.hasOwn(TYPED_INSTANCES, object.kind)
      if (object.kind !== 'instance' && !isTyped) continue
      const { name, namespace } = object.metadata
      const instance = this.#lastGood(object, (one, report) => instanceOf(one, isTyped, types, report))
      if (instance !== undefined) instances.set(keyOf(name, object.kind, namespace), instance)
    }
    return instances
  }
}

function handlerPlan(object: ConfigObject, isTyped: boolean, report: ModelReport): HandlerPlan | undefined {
  const { spec } = object.body as HandlerBody
  const wanted = isTyped ? object.kind : spec.compiledAdapter
  if (wanted === undefined) {
    report.add('LTN0402', ['spec', 'compiledAdapter'], `must be given; known are ${ADAPTER_NAMES.join(', ')}`)
    return undefined
  }
  const adapter = findAdapter(wanted)
  if (adapter === undefined) {
    const hint = didYouMean(wanted, ADAPTER_NAMES) || `; known are ${ADAPTER_NAMES.join(', ')}`
    report.add('LTN0402', ['spec', 'compiledAdapter'], `no adapter is "${wanted}"${hint}`)
    return undefined
  }
  const params = readParams(adapter, isTyped ? spec : spec.params, isTyped ? ['spec'] : ['spec', 'params'], report)
  const { name, namespace } = object.metadata
  return params === undefined ? undefined : { key: keyOf(name, object.kind, namespace), adapter, params, object }
}

function instanceOf(
  object: ConfigObject,
  isTyped: boolean,
  types: AttributeTypes,
  report: ModelReport,
): CompiledInstance | undefined {
  const { spec } = object.body as InstanceBody
  const wanted = isTyped ? object.kind : (spec.compiledTemplate ?? spec.template)
  const names = [...TEMPLATES.keys()]
  const template = wanted === undefined ? undefined : TEMPLATES.get(wanted)
  if (template === undefined) {
    const hint = (wanted !== undefined && didYouMean(wanted, names)) || `; known are ${names.join(', ')}`
    const message = wanted === undefined ? 'must be given' : `no template is "${wanted}"`
    report.add('LTN0402', ['spec', 'compiledTemplate'], `${message}${hint}`)
    return undefined
  }
  const { name, namespace } = object.metadata
  // The older kinds have their bindings beside their parameters.
  const { attributeBindings = {}, ...fields } = spec as InstanceBody['spec'] & Record<string, unknown>
  return compileInstance(
    {
      key: keyOf(name, object.kind, namespace),
      name,
      template,
      params: isTyped ? fields : spec.params,
      paramsPath: isTyped ? ['spec'] : ['spec', 'params'],
      attributeBindings,
    },
    types,
    report,
  )
}
