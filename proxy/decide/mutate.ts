import type { HeaderMutation, HeaderValuePlan } from '../plan/header-mutations.ts'
import { formatTemplate, type TemplateContext } from '../plan/header-template.ts'
import type { RouteConfigPlan, RoutePlan, VirtualHostPlan, WeightedClusterPlan } from '../plan/plan.ts'
import type { HeaderBlock } from '../stream/header-block.ts'
import type { Call } from './call.ts'
import { destinationText, sourceText } from './connection-facts.ts'
import { changeResponseHeader, type Decision } from './decision.ts'
import { addressWithPort } from './fields.ts'

/** The levels that may change headers, in Envoy's order: the last writer wins. */
function forEachLevel(
  config: RouteConfigPlan,
  host: VirtualHostPlan,
  route: RoutePlan,
  choice: WeightedClusterPlan | undefined,
  direction: 'request' | 'response',
  apply: (mutation: HeaderMutation) => void,
): void {
  const levels = [choice?.mutations, route.mutations, host.mutations, config.mutations]
  if (config.mostSpecificMutationsWin) levels.reverse()
  for (const level of levels) if (level !== undefined && !level[direction].isEmpty) apply(level[direction])
}

/** Whether a level has nothing to do. Spelled out: this is asked for every message, and a computed key is slow. */
function isIdle(level: Mutated | undefined, direction: 'request' | 'response'): boolean {
  if (level === undefined) return true
  const { request, response } = level.mutations
  return direction === 'request' ? request.isEmpty : response.isEmpty
}

interface Mutated {
  readonly mutations: { readonly request: HeaderMutation; readonly response: HeaderMutation }
}

/** Applies every level's mutations to the request or response fields. */
export function mutateHeaders(
  config: RouteConfigPlan,
  decision: Decision,
  call: Call,
  fields: HeaderBlock,
  direction: 'request' | 'response',
): void {
  const { virtualHost, route, choice } = decision
  if (virtualHost === undefined || route === undefined) return
  // Asked first, so that most calls build nothing.
  if (
    isIdle(config, direction) &&
    isIdle(virtualHost, direction) &&
    isIdle(route, direction) &&
    isIdle(choice, direction)
  ) {
    return
  }
  const context = templateContext(decision, call)
  forEachLevel(config, virtualHost, route, choice, direction, (mutation) => applyMutation(mutation, fields, context))
}

/** What values of fields may refer to. */
export function templateContext(decision: Decision, call: Call): TemplateContext {
  return {
    request: call.head,
    remoteAddress: decision.clientAddress === '' ? sourceText(call.facts) : addressWithPort(decision.clientAddress, 0),
    downstreamAddress: sourceText(call.facts),
    downstreamLocalAddress: destinationText(call.facts),
    routeName: decision.route?.name ?? '',
    clusterName: decision.choice?.cluster ?? '',
  }
}

/** One level: removals, then overwrites, then additions; values are formatted before anything is changed. */
export function applyMutation(mutation: HeaderMutation, fields: HeaderBlock, context: TemplateContext): void {
  const overwrites = mutation.overwrite.map((plan) => formatTemplate(plan.value, context))
  const appends = mutation.append.map((plan) => formatTemplate(plan.value, context))
  for (const name of mutation.remove) fields.remove(name)
  mutation.overwrite.forEach((plan, i) => {
    const value = overwrites[i] as string
    if (isWanted(plan, value, fields)) fields.set(plan.name, value)
  })
  mutation.append.forEach((plan, i) => {
    const value = appends[i] as string
    if (isWanted(plan, value, fields)) fields.append(plan.name, value)
  })
}

function isWanted(plan: HeaderValuePlan, value: string, fields: HeaderBlock): boolean {
  if (value === '' && !plan.keepEmpty) return false
  if (plan.condition === 'always') return true
  return fields.has(plan.lowerName) === (plan.condition === 'if_present')
}

/** Has what a filter adds to its refusals laid over the answer that carries the decision out. */
export function changeRefusal({ overwrite, append, isEmpty }: HeaderMutation, call: Call, decision: Decision): void {
  if (isEmpty) return
  const context = templateContext(decision, call)
  for (const { lowerName: name, value, condition } of overwrite) {
    const action = condition === 'always' ? 'set' : 'set_if_exists'
    changeResponseHeader(decision, { name, value: formatTemplate(value, context), action })
  }
  for (const { lowerName: name, value, condition } of append) {
    const action = condition === 'always' ? 'append' : 'add_if_absent'
    changeResponseHeader(decision, { name, value: formatTemplate(value, context), action })
  }
}
