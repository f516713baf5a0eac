import { errorText } from '../../lib/errors.ts'
import type { CheckResult, Handler, Instance, QuotaResult } from '../adapters/adapter.ts'
import { References } from '../attributes/references.ts'
import type { AttributeBag, AttributeTypes, Value } from '../attributes/value.ts'
import { Evaluation } from '../expression/evaluation.ts'
import { type CompiledBinding, chargesOf } from '../quota/specs.ts'
import { CallBag, type Generator } from './call-bag.ts'
import { changesOf, type HeaderChange } from './header-operations.ts'
import type { CompiledInstance } from './instance.ts'
import { mergeChecks, type Said, type Verdict } from './merge.ts'
import type { Model } from './model.ts'
import type { RulePlan } from './rule.ts'
import type { Chance } from './sampling.ts'
import type { MixerStats } from './stats.ts'
import type { Variety } from './templates.ts'

interface Action {
  readonly name: string
  readonly key: string
  readonly handler: Handler
  readonly instances: readonly CompiledInstance[]
}

/** A rule, as far as it is of one part. */
interface Rule {
  readonly plan: RulePlan
  readonly actions: readonly Action[]
}

export interface CheckAnswer extends Verdict {
  readonly references: References
  readonly requestChanges: readonly HeaderChange[]
  readonly responseChanges: readonly HeaderChange[]
  /** Why nobody knows whether the call may pass; '' otherwise. A refusal goes before it. */
  readonly problem: string
}

export interface QuotaAnswer {
  /** Whether all was granted, of every quota. */
  readonly granted: boolean
  /** Of the quota that is nearest to its end; undefined when the call is charged to none. */
  readonly tightest: QuotaResult | undefined
  readonly references: References
  readonly problem: string
}

/**
 * Which part of a rule is asked: that of one variety; SPANS is what of the reports speaks of spans (tracespan). A span is told beside
 * the report of its call, and would be counted twice by anything else.
 */
type Part = Variety | 'SPANS'
const SPAN_TEMPLATE = 'tracespan'

/** Reports that go to one handler together. */
export type Reports = Map<Handler, Instance[]>

/** A model with its handlers at work. Whatever a call meets, it meets one of these from its beginning to its end. */
export class Dispatcher {
  readonly types: AttributeTypes
  readonly #rootNamespace: string
  readonly #rules = new Map<Part, Map<string, readonly Rule[]>>()
  readonly #namespaced = new Set<Part>()
  readonly #generators = new Map<string, Generator[]>()
  readonly #bindings: readonly CompiledBinding[]
  readonly #chance: Chance
  readonly #stats: MixerStats

  constructor(model: Model, handlers: ReadonlyMap<string, Handler>, chance: Chance, stats: MixerStats) {
    this.types = model.types
    this.#rootNamespace = model.rootNamespace
    this.#bindings = model.bindings
    this.#chance = chance
    this.#stats = stats
    for (const part of ['CHECK', 'QUOTA', 'REPORT', 'SPANS'] as const) this.#index(part, model, handlers)
    for (const rule of rulesOf('ATTRIBUTE_GENERATOR', model, handlers)) this.#addGenerators(rule)
  }

  #index(part: Part, model: Model, handlers: ReadonlyMap<string, Handler>): void {
    const rules = rulesOf(part, model, handlers)
    const ofRoot = rules.filter(({ plan }) => plan.namespace === this.#rootNamespace)
    const byNamespace = new Map<string, readonly Rule[]>([[this.#rootNamespace, ofRoot]])
    for (const { plan } of rules) {
      if (plan.namespace === this.#rootNamespace || byNamespace.has(plan.namespace)) continue
      byNamespace.set(plan.namespace, [...ofRoot, ...rules.filter((one) => one.plan.namespace === plan.namespace)])
      this.#namespaced.add(part)
    }
    this.#rules.set(part, byNamespace)
  }

  #addGenerators({ plan, actions }: Rule): void {
    for (const { handler, instances } of actions) {
      for (const instance of instances) {
        for (const [name, { compute }] of instance.bindings) {
          const generator = { match: plan.match, handler, instance, compute }
          const known = this.#generators.get(name)
          if (known === undefined) this.#generators.set(name, [generator])
          else known.push(generator)
        }
      }
    }
  }

  /** Whether a call may pass. Answers at once where no handler has to wait. */
  check(told: AttributeBag): CheckAnswer | Promise<CheckAnswer> {
    const references = new References()
    const bag = new CallBag(told, this.#generators, references)
    const evaluation = new Evaluation(bag, references)
    const waiting: Promise<void>[] = []
    const said: Said[] = []
    const matched: Rule[] = []
    const outputs = new Map<string, Value>()
    let problem = ''
    for (const rule of this.#rulesFor('CHECK', evaluation)) {
      if (!this.#matches(rule, evaluation)) continue
      matched.push(rule)
      for (const action of rule.actions) {
        for (const compiled of action.instances) {
          const instance = this.#build(compiled, evaluation)
          if (instance === undefined) {
            problem = `${compiled.key}: ${evaluation.error}`
            continue
          }
          // A place for each, so that the order is that of the rules, whoever answers first.
          const place = said.length
          said.push({ handler: action.key, result: NO_ANSWER })
          const keep = (result: CheckResult) => {
            said[place] = { handler: action.key, result }
            for (const [name, value] of Object.entries(result.output ?? {})) {
              outputs.set(`${action.name}.output.${name}`, value)
            }
          }
          const failed = (thrown: unknown) => {
            this.#stats.handlerErrors.inc()
            problem = `${action.key}: ${errorText(thrown)}`
          }
          try {
            const result = action.handler.check?.(instance) ?? NO_ANSWER
            if (result instanceof Promise) waiting.push(result.then(keep, failed))
            else keep(result)
          } catch (thrown) {
            failed(thrown)
          }
        }
      }
    }
    const finish = (): CheckAnswer => {
      const verdict = mergeChecks(said.filter(({ result }) => result !== NO_ANSWER))
      return { ...verdict, references, ...changes(matched, bag, outputs, references), problem }
    }
    return waiting.length === 0 ? finish() : Promise.all(waiting).then(finish)
  }

  /** Charges a call to the quotas that are bound to its service, one after the other until one has not enough. */
  quota(told: AttributeBag, hits: number): QuotaAnswer | Promise<QuotaAnswer> {
    const references = new References()
    const bag = new CallBag(told, this.#generators, references)
    const evaluation = new Evaluation(bag, references)
    const steps: { action: Action; instance: Instance; amount: number }[] = []
    let problem = ''
    for (const { quota, amount } of chargesOf(this.#bindings, evaluation)) {
      for (const rule of this.#rulesFor('QUOTA', evaluation)) {
        const actions = rule.actions.filter(({ instances }) => instances.some(({ key }) => key === quota))
        if (actions.length === 0 || !this.#matches(rule, evaluation)) continue
        for (const action of actions) {
          const compiled = action.instances.find(({ key }) => key === quota) as CompiledInstance
          const instance = this.#build(compiled, evaluation)
          if (instance === undefined) problem = `${quota}: ${evaluation.error}`
          else steps.push({ action, instance, amount: amount * hits })
        }
      }
    }
    const id = told.get('request.id')
    const ask = { bestEffort: false, deduplicationId: typeof id === 'string' ? id : '' }
    let tightest: QuotaResult | undefined
    const finish = (granted: boolean): QuotaAnswer => ({ granted, tightest, references, problem })
    const next = (from: number): QuotaAnswer | Promise<QuotaAnswer> => {
      for (let i = from; i < steps.length; i++) {
        const { action, instance, amount } = steps[i] as (typeof steps)[number]
        const keep = (result: QuotaResult): boolean => {
          if (tightest === undefined || result.granted < amount || result.remaining < tightest.remaining)
            tightest = result
          return result.granted >= amount
        }
        const failed = (thrown: unknown) => {
          this.#stats.handlerErrors.inc()
          problem = `${action.key}: ${errorText(thrown)}`
        }
        try {
          const result = action.handler.quota?.(instance, { ...ask, amount })
          if (result instanceof Promise) {
            return result.then(
              (one) => (keep(one) ? next(i + 1) : finish(false)),
              (thrown) => {
                failed(thrown)
                return next(i + 1)
              },
            )
          }
          if (result !== undefined && !keep(result)) return finish(false)
        } catch (thrown) {
          failed(thrown)
        }
      }
      return finish(true)
    }
    return next(0)
  }

  /** Whether anybody wants to hear of spans. */
  get wantsSpans(): boolean {
    return [...(this.#rules.get('SPANS')?.values() ?? [])].some((rules) => rules.length > 0)
  }

  /** Makes the reports of one call, or of one span; hand() gives them to their handlers. */
  report(told: AttributeBag, reports: Reports, part: 'REPORT' | 'SPANS' = 'REPORT'): void {
    const evaluation = new Evaluation(new CallBag(told, this.#generators))
    for (const rule of this.#rulesFor(part, evaluation)) {
      if (!this.#matches(rule, evaluation)) continue
      const { sampler } = rule.plan
      if (sampler !== undefined && !sampler(evaluation, this.#chance)) continue
      for (const { handler, instances } of rule.actions) {
        for (const compiled of instances) {
          const instance = this.#build(compiled, evaluation)
          if (instance === undefined) continue
          const known = reports.get(handler)
          if (known === undefined) reports.set(handler, [instance])
          else known.push(instance)
        }
      }
    }
  }

  hand(reports: Reports): void {
    for (const [handler, instances] of reports) {
      try {
        handler.report?.(instances)
      } catch {
        this.#stats.handlerErrors.inc()
      }
    }
  }

  /** The namespace of a call is that of who is called; of what the caller's proxy tells, the caller's. */
  #rulesFor(part: Part, evaluation: Evaluation): readonly Rule[] {
    const byNamespace = this.#rules.get(part) as Map<string, readonly Rule[]>
    const ofRoot = byNamespace.get(this.#rootNamespace) as readonly Rule[]
    if (!this.#namespaced.has(part)) return ofRoot
    const outbound = read(evaluation, 'context.reporter.kind') === 'outbound'
    const namespace = outbound
      ? read(evaluation, 'source.namespace')
      : (read(evaluation, 'destination.namespace') ?? read(evaluation, 'destination.service.namespace'))
    return byNamespace.get(String(namespace)) ?? ofRoot
  }

  #matches({ plan }: Rule, evaluation: Evaluation): boolean {
    if (plan.match === undefined) return true
    const value = plan.match(evaluation)
    if (value !== undefined) return value === true
    evaluation.failure = ''
    this.#stats.matchErrors.inc()
    return false
  }

  #build(compiled: CompiledInstance, evaluation: Evaluation): Instance | undefined {
    evaluation.failure = ''
    const instance = compiled.build(evaluation)
    if (instance === undefined) this.#stats.instanceErrors.inc()
    return instance
  }
}

const NO_ANSWER: CheckResult = { code: 0, message: '', validDurationMs: 0, validUseCount: 0 }

function read(evaluation: Evaluation, name: string): Value | undefined {
  const value = evaluation.bag.get(name)
  evaluation.note(name, undefined, value !== undefined)
  return value
}

function rulesOf(part: Part, { rules }: Model, handlers: ReadonlyMap<string, Handler>): Rule[] {
  return rules.flatMap((plan): Rule[] => {
    const actions = plan.actions.flatMap(({ name, handler, instances }): Action[] => {
      const ofPart = instances.filter(({ template }) =>
        part === 'SPANS' ? template.name === SPAN_TEMPLATE : template.variety === part,
      )
      const open = handlers.get(handler.key)
      if (ofPart.length === 0 || open === undefined) return []
      return [{ name, key: handler.key, handler: open, instances: ofPart }]
    })
    // Header operations need no action.
    const changesHeaders = plan.requestOperations.length + plan.responseOperations.length > 0
    return actions.length > 0 || (part === 'CHECK' && changesHeaders) ? [{ plan, actions }] : []
  })
}

function changes(
  rules: readonly Rule[],
  bag: CallBag,
  outputs: ReadonlyMap<string, Value>,
  references: References,
): Pick<CheckAnswer, 'requestChanges' | 'responseChanges'> {
  const requestChanges: HeaderChange[] = []
  const responseChanges: HeaderChange[] = []
  for (const { plan } of rules) {
    if (plan.requestOperations.length + plan.responseOperations.length === 0) continue
    const evaluation = new Evaluation(
      {
        get: (name) => outputs.get(name) ?? bag.get(name),
        isDerived: (name) => bag.isDerived(name),
        // What an action gave is made of what was read already.
        isOutput: (name) => outputs.has(name),
      },
      references,
    )
    requestChanges.push(...changesOf(plan.requestOperations, evaluation))
    responseChanges.push(...changesOf(plan.responseOperations, evaluation))
  }
  return { requestChanges, responseChanges }
}
