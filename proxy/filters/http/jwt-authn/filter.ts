import type { Call } from '../../../decide/call.ts'
import { addResponseHeader, answer, ask, countIn, type Decision, type TokenDecision } from '../../../decide/decision.ts'
import { matchesRoute } from '../../../decide/route.ts'
import type { HttpFilter } from '../filter.ts'
import { compileJwtAuthn, compileJwtRoute, type JwtConfig, type JwtRouteConfig } from './config.ts'
import { Evaluation, JWT_AUTHN, openSignatures, type Signatures } from './evaluate.ts'
import { SignatureQuestion } from './question.ts'
import type { Requirement } from './requirement.ts'
import { JWT_STATUS, type JwtStatus } from './status.ts'
import { type Jwt, own } from './token.ts'

/**
 * Tokens of callers (envoy.filters.http.jwt_authn, JSON Web Tokens of RFC 7519). Judges alone what it can; whether a signature
 * is good it asks, once for each token as long as that is remembered.
 */
export const jwtAuthn: HttpFilter<JwtConfig | JwtRouteConfig> = {
  name: JWT_AUTHN,
  typeName: 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
  routeTypeName: 'envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig',
  compile: compileJwtAuthn,
  compileForRoute: compileJwtRoute,

  prepare(config, context) {
    const stops = (config as JwtConfig).remotes.map((remote) => remote.keepFresh(context))
    return () => {
      for (const stop of stops) stop()
    }
  },

  judge(mostSpecific, call, decision, signatures, ofChain) {
    const config = ofChain as JwtConfig
    const forRoute = mostSpecific === ofChain ? undefined : (mostSpecific as JwtRouteConfig)
    // What only a proxy may say of a token, nobody else has said.
    for (const header of config.outputHeaders) call.head.remove(header)
    if (config.bypassesPreflight && isPreflight(call)) {
      countIn(decision, 'jwt_authn.cors_preflight_bypassed')
      return false
    }
    const requirement = requirementFor(config, forRoute, call, decision)
    if (requirement === 'unknown') {
      answer(decision, 403, 'jwt_authn_access_denied{unknown_requirement}', '')
      return true
    }
    if (requirement === undefined) return passes(decision)
    const nowSeconds = Math.floor(call.wallMs() / 1000)
    if (signatures === undefined) {
      const open = openSignatures(requirement, call.head, nowSeconds)
      if (open.length > 0) {
        ask(decision, new SignatureQuestion(open))
        return true
      }
    }
    const uri = originalUri(call)
    const evaluation = new Evaluation(call.head, decision, signatures as Signatures | undefined, nowSeconds)
    const status = evaluation.run(requirement)
    const { accepted } = evaluation
    if (status === JWT_STATUS.ok) {
      decision.token = accepted === undefined ? NO_TOKEN : tokenDecision('accepted', accepted, '')
      return passes(decision)
    }
    decision.token = tokenDecision('refused', undefined, status)
    refuseCall(config, status, uri, decision)
    return true
  },
}

const NO_TOKEN = tokenDecision('none', undefined, '')

function tokenDecision(verdict: TokenDecision['verdict'], jwt: Jwt | undefined, reason: string): TokenDecision {
  const subject = jwt && own(jwt.payload, 'sub')
  return { verdict, issuer: jwt?.issuer ?? '', subject: typeof subject === 'string' ? subject : '', reason }
}

function passes(decision: Decision): false {
  countIn(decision, 'jwt_authn.allowed')
  return false
}

/** The requirement of the route, or of the first rule that matches. */
function requirementFor(
  config: JwtConfig,
  forRoute: JwtRouteConfig | undefined,
  call: Call,
  decision: Decision,
): Requirement | 'unknown' | undefined {
  if (forRoute !== undefined) {
    return forRoute.disabled ? undefined : (config.requirements.get(forRoute.requirementName) ?? 'unknown')
  }
  return config.rules.find(({ match }) => matchesRoute(match, call, decision))?.requirement
}

function isPreflight({ head }: Call): boolean {
  if (head.method !== 'OPTIONS') return false
  return (head.get('origin') ?? '') !== '' && (head.get('access-control-request-method') ?? '') !== ''
}

function refuseCall(config: JwtConfig, status: JwtStatus, uri: string, decision: Decision): void {
  countIn(decision, 'jwt_authn.denied')
  const code = status === JWT_STATUS.audienceNotAllowed ? 403 : 401
  answer(decision, code, `jwt_authn_access_denied{${status.replaceAll(' ', '_')}}`, '')
  const error = status === JWT_STATUS.missing ? '' : ', error="invalid_token"'
  if (config.stripsFailure) return
  decision.body = Buffer.from(status)
  addResponseHeader(decision, 'www-authenticate', `Bearer realm="${uri}"${error}`)
}

/** Most of a path that is said back. */
const MAX_PATH_CHARS = 256

function originalUri({ head }: Call): string {
  if (head.path === '') return ''
  const path = head.get('x-envoy-original-path') ?? head.path
  // Within quotes of a field.
  return `${head.scheme}://${head.authority}${path.slice(0, MAX_PATH_CHARS)}`.replaceAll(/["\\]/g, '')
}
