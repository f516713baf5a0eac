import type { ConfigObject } from '../../config/object.ts'
import type { RuleBody } from '../../crds/kinds/mixer.ts'
import type { Adapter } from '../adapters/adapter.ts'
import type { AttributeTypes, ValueType } from '../attributes/value.ts'
import { compileExpression } from '../expression/compile.ts'
import type { Compute } from '../expression/evaluation.ts'
import { type CompiledOperation, compileOperations } from './header-operations.ts'
import type { CompiledInstance } from './instance.ts'
import { candidates } from './names.ts'
import type { ModelReport } from './report.ts'
import { compileSampling, type Sampler } from './sampling.ts'

export interface HandlerPlan {
  /** `name.kind.namespace` */
  readonly key: string
  readonly adapter: Adapter
  readonly params: unknown
  /** Handlers made of the same object are the same handler. */
  readonly object: ConfigObject<unknown>
}

export interface ActionPlan {
  /** Under which header operations find what it gives; '' for no name. */
  readonly name: string
  readonly handler: HandlerPlan
  readonly instances: readonly CompiledInstance[]
}

export interface RulePlan {
  readonly name: string
  readonly namespace: string
  readonly object: ConfigObject<unknown>
  /** undefined: it holds for every call. */
  readonly match: Compute | undefined
  readonly actions: readonly ActionPlan[]
  readonly requestOperations: readonly CompiledOperation[]
  readonly responseOperations: readonly CompiledOperation[]
  readonly sampler: Sampler | undefined
}

export interface Parts {
  readonly types: AttributeTypes
  readonly handlers: ReadonlyMap<string, HandlerPlan>
  readonly instances: ReadonlyMap<string, CompiledInstance>
}

/** undefined when something of it is wrong, which is reported. */
export function compileRule(object: ConfigObject<RuleBody>, parts: Parts, report: ModelReport): RulePlan | undefined {
  const { spec } = object.body
  const { namespace, name } = object.metadata
  const match = compileMatch(spec.match, parts.types, report)
  const actions = (spec.actions ?? []).flatMap((action, i): ActionPlan[] => {
    const path = ['spec', 'actions', i]
    const key = candidates(action.handler, namespace, 'handler').find((one) => parts.handlers.has(one))
    const handler = key === undefined ? undefined : parts.handlers.get(key)
    if (handler === undefined) {
      report.add('IST0101', [...path, 'handler'], `no handler is "${action.handler}"`)
      return []
    }
    const instances = (action.instances ?? []).flatMap((reference, at): CompiledInstance[] => {
      const found = candidates(reference, namespace, 'instance').find((one) => parts.instances.has(one))
      const instance = found === undefined ? undefined : parts.instances.get(found)
      if (instance === undefined) {
        report.add('IST0101', [...path, 'instances', at], `no instance is "${reference}"`)
        return []
      }
      const { adapter } = handler
      if (adapter.templates.includes(instance.template.name)) return [instance]
      const message = `"${reference}" is of template ${instance.template.name}, ${adapter.name} takes ${adapter.templates.join(', ')}`
      report.add('LTN0403', [...path, 'instances', at], message)
      return []
    })
    if (action.instances === undefined || action.instances.length === 0) {
      report.error([...path, 'instances'], 'must not be empty')
    }
    return [{ name: action.name ?? '', handler, instances }]
  })
  const types = withOutputs(actions, parts.types)
  const requestOperations = compileOperations(spec.requestHeaderOperations, 'requestHeaderOperations', types, report)
  const responseOperations = compileOperations(spec.responseHeaderOperations, 'responseHeaderOperations', types, report)
  const sampler = compileSampling(spec.sampling, parts.types, report)
  if (report.hasErrors) return undefined
  return { name, namespace, object, match, actions, requestOperations, responseOperations, sampler }
}

function compileMatch(text: string | undefined, types: AttributeTypes, report: ModelReport): Compute | undefined {
  if (text === undefined || text.trim() === '') return undefined
  return report.expression(compileExpression(text, types, 'BOOL'), ['spec', 'match'])?.compute
}

/** With what the checks of the rule give: `<action>.output.<name>`. */
function withOutputs(actions: readonly ActionPlan[], types: AttributeTypes): AttributeTypes {
  const outputs: [string, ValueType][] = actions.flatMap(({ name, handler }) =>
    name === ''
      ? []
      : Object.entries(handler.adapter.outputs ?? {}).map(([field, type]): [string, ValueType] => [
          `${name}.output.${field}`,
          type,
        ]),
  )
  return outputs.length === 0 ? types : new Map([...types, ...outputs])
}
