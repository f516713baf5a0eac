import { addResponseHeader, answer } from '../../../decide/decision.ts'
import type { HttpFilter } from '../filter.ts'
import { type CorsConfig, compileCors, compileCorsPolicy } from './config.ts'

/**
 * Cross-origin requests (envoy.filters.http.cors): an allowed preflight is answered here, an allowed plain request gets
 * its response headers.
 */
export const cors: HttpFilter<CorsConfig | undefined> = {
  name: 'envoy.filters.http.cors',
  typeName: 'envoy.extensions.filters.http.cors.v3.Cors',
  routeTypeName: 'envoy.extensions.filters.http.cors.v3.CorsPolicy',
  compile: compileCors,
  compileForRoute: compileCorsPolicy,

  judge(config, { head }, decision) {
    if (config === undefined) return false
    const origin = head.get('origin')
    if (origin === undefined || origin === '') return false
    const isAllowed = config.allowOrigins.some((matcher) => matcher.test(origin))
    const isPreflight = head.method === 'OPTIONS' && (head.get('access-control-request-method') ?? '') !== ''
    if (isPreflight && (isAllowed || !config.forwardNotMatchingPreflights)) {
      answer(decision, 200, 'cors_response', '')
      if (isAllowed) addPreflightHeaders(config, origin, decision)
      return true
    }
    if (isAllowed) {
      addResponseHeader(decision, 'access-control-allow-origin', origin)
      if (config.allowCredentials) addResponseHeader(decision, 'access-control-allow-credentials', 'true')
      if (config.exposeHeaders !== '') {
        addResponseHeader(decision, 'access-control-expose-headers', config.exposeHeaders)
      }
    }
    return false
  },
}

function addPreflightHeaders(
  config: CorsConfig,
  origin: string,
  decision: Parameters<typeof addResponseHeader>[0],
): void {
  addResponseHeader(decision, 'access-control-allow-origin', origin)
  if (config.allowCredentials) addResponseHeader(decision, 'access-control-allow-credentials', 'true')
  if (config.allowMethods !== '') addResponseHeader(decision, 'access-control-allow-methods', config.allowMethods)
  if (config.allowHeaders !== '') addResponseHeader(decision, 'access-control-allow-headers', config.allowHeaders)
  if (config.maxAge !== '') addResponseHeader(decision, 'access-control-max-age', config.maxAge)
}
