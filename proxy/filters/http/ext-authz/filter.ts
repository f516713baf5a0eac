import { answer, ask, changeResponseHeader, countIn, type Decision } from '../../../decide/decision.ts'
import type { FieldChange } from '../../../decide/field-change.ts'
import { pathname, queryOf } from '../../../decide/fields.ts'
import { metadataMatches, setMetadata } from '../../../decide/metadata.ts'
import type { RequestHead } from '../../../stream/message.ts'
import type { HttpFilter } from '../filter.ts'
import { newCheckCache } from './cache/check-cache.ts'
import { compileExtAuthz, compileExtAuthzRoute, type ExtAuthzConfig, type ExtAuthzRouteConfig } from './config.ts'
import { CheckQuestion } from './question.ts'
import type { CheckResult } from './result.ts'

const NAME = 'envoy.filters.http.ext_authz'
const NO_EXTENSIONS = {}

/**
 * Asks a server whether a call may pass (envoy.filters.http.ext_authz). This half says whether it is asked, and does what it
 * answers; the asking is in question.ts.
 */
export const extAuthz: HttpFilter<ExtAuthzConfig | ExtAuthzRouteConfig> = {
  name: NAME,
  typeName: 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
  routeTypeName: 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute',
  compile: compileExtAuthz,
  compileForRoute: compileExtAuthzRoute,

  judge(mostSpecific, call, decision, result, ofChain) {
    const config = ofChain as ExtAuthzConfig
    const forRoute = mostSpecific === ofChain ? undefined : (mostSpecific as ExtAuthzRouteConfig)
    if (forRoute?.disabled === true) return false
    if (result === undefined) {
      // What no route takes is 404 whatever the server would say: as Envoy does, it is not asked.
      if (decision.route === undefined) return false
      if (config.enabledBy !== undefined && !metadataMatches(config.enabledBy, decision)) return false
      const extensions = forRoute?.contextExtensions ?? NO_EXTENSIONS
      const cache = config.mayKeep ? call.around.memory?.of(config, newCheckCache) : undefined
      const kept = cache?.find(call, decision, extensions)
      if (kept === undefined) {
        ask(decision, new CheckQuestion(config, extensions, cache))
        return true
      }
      countIn(decision, 'ext_authz.cache_hit')
      return obey(config, kept, call.head, decision)
    }
    return obey(config, result as CheckResult, call.head, decision)
  },
}

/** True when the call is answered here. */
function obey(config: ExtAuthzConfig, result: CheckResult, head: RequestHead, decision: Decision): boolean {
  switch (result.kind) {
    case 'ok':
      countIn(decision, 'ext_authz.ok')
      takeMetadata(config, result.metadata, decision)
      changeRequest(config, result, head, decision)
      for (const change of result.responseFields) changeResponseHeader(decision, change)
      return false
    case 'denied':
      countIn(decision, 'ext_authz.denied')
      takeMetadata(config, result.metadata, decision)
      answer(decision, result.status, 'ext_authz_denied', 'UAEX')
      decision.body = result.body
      for (const change of result.fields) changeResponseHeader(decision, change)
      return true
    case 'too_large':
      answer(decision, 413, 'request_payload_too_large', '')
      decision.body = TOO_LARGE
      return true
    default:
      countIn(decision, 'ext_authz.error')
      if (!config.failureModeAllow) {
        answer(decision, config.statusOnError, 'ext_authz_error', 'UAEX')
        return true
      }
      countIn(decision, 'ext_authz.failure_mode_allowed')
      if (config.failureModeAllowHeaderAdd) head.set('x-envoy-auth-failure-mode-allowed', 'true')
      return false
  }
}

const TOO_LARGE = Buffer.from('Payload Too Large')

function takeMetadata(
  config: ExtAuthzConfig,
  metadata: Parameters<typeof setMetadata>[2] | undefined,
  decision: Decision,
) {
  if (config.takesMetadata && metadata !== undefined) setMetadata(decision, NAME, metadata)
}

function changeRequest(
  config: ExtAuthzConfig,
  result: Extract<CheckResult, { kind: 'ok' }>,
  head: RequestHead,
  decision: Decision,
): void {
  const { requestFields, fieldsToRemove, queryToSet, queryToRemove } = result
  for (const name of fieldsToRemove) head.remove(name)
  for (const change of requestFields) changeField(change, head)
  if (queryToSet.length + queryToRemove.length > 0) changeQuery(head, queryToSet, queryToRemove)
  const hasChanged = requestFields.length + fieldsToRemove.length + queryToSet.length + queryToRemove.length > 0
  if (config.clearsRoute && hasChanged) decision.clearsRoute = true
}

function changeField({ name, value, action }: FieldChange, head: RequestHead): void {
  const before = head.get(name)
  if (action === 'set' || (action === 'append' && before === undefined)) head.set(name, value)
  else if (before !== undefined) head.set(name, `${before},${value}`)
}

function changeQuery(
  head: RequestHead,
  toSet: readonly (readonly [string, string])[],
  toRemove: readonly string[],
): void {
  const gone = new Set([...toRemove, ...toSet.map(([name]) => name)])
  const query = queryOf(head.path)
  const kept = query.split('&').filter((part) => part !== '' && !gone.has(part.split('=', 1)[0] as string))
  const parts = [...kept, ...toSet.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)]
  head.path = pathname(head.path) + (parts.length === 0 ? '' : `?${parts.join('&')}`)
}
