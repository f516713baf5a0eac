import { addResponseHeader, answer, countIn } from '../../../decide/decision.ts'
import { isDrawn } from '../../../decide/route.ts'
import type { HttpFilter } from '../filter.ts'
import { type CorsConfig, compileCors, compileCorsPolicy } from './config.ts'

/**
 * Cross-origin requests (envoy.filters.http.cors): a preflight is answered here, an allowed plain request gets its
 * response headers. What is not allowed gets no access-control-allow-origin, which is how the browser learns of it.
 */
export const cors: HttpFilter<CorsConfig | undefined> = {
  name: 'envoy.filters.http.cors',
  typeName: 'envoy.extensions.filters.http.cors.v3.Cors',
  routeTypeName: 'envoy.extensions.filters.http.cors.v3.CorsPolicy',
  compile: compileCors,
  compileForRoute: compileCorsPolicy,

  judge(config, call, decision) {
    // As in Envoy it is for what is sent on, and not for answers that a route gives itself.
    if (config === undefined || decision.route?.action.kind !== 'forward') return false
    const { head } = call
    const isEnabled = isDrawn(config.enabled, call.random)
    if (!isEnabled && !isDrawn(config.shadow, call.random)) return false
    const origin = head.get('origin')
    if (origin === undefined || origin === '') return false
    const isAllowed = config.allowOrigins.some((matcher) => matcher.test(origin))
    countIn(decision, isAllowed ? 'cors.origin_valid' : 'cors.origin_invalid')
    if (!isEnabled) return false
    const isPreflight = head.method === 'OPTIONS' && (head.get('access-control-request-method') ?? '') !== ''
    const isAnswered = isPreflight && (isAllowed || !config.forwardNotMatchingPreflights)
    if (isAllowed) {
      addResponseHeader(decision, 'access-control-allow-origin', origin)
      if (config.exposeHeaders !== '') {
        addResponseHeader(decision, 'access-control-expose-headers', config.exposeHeaders)
      }
    }
    if (config.allowCredentials && (isAllowed || isAnswered)) {
      addResponseHeader(decision, 'access-control-allow-credentials', 'true')
    }
    if (!isAnswered) return false
    answer(decision, 200, 'cors_response', '')
    addPreflightHeaders(config, decision)
    if (config.allowPrivateNetwork && head.get('access-control-request-private-network') === 'true') {
      addResponseHeader(decision, 'access-control-allow-private-network', 'true')
    }
    return true
  },
}

function addPreflightHeaders(config: CorsConfig, decision: Parameters<typeof addResponseHeader>[0]): void {
  if (config.allowMethods !== '') addResponseHeader(decision, 'access-control-allow-methods', config.allowMethods)
  if (config.allowHeaders !== '') addResponseHeader(decision, 'access-control-allow-headers', config.allowHeaders)
  if (config.maxAge !== '') addResponseHeader(decision, 'access-control-max-age', config.maxAge)
}
