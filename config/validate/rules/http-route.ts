import type { Headers, HTTPMatchRequest, HTTPRoute } from '../../../crds/kinds/virtual-service.ts'
import { claimPath, namesClaims } from '../../claims.ts'
import { isDnsLabel, isDnsSubdomain, isHeaderName } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import {
  checkDestination,
  checkGatewayNames,
  checkLabels,
  checkPort,
  checkStringMatch,
  checkWeights,
} from './common.ts'
import { checkDirectResponse, checkRedirect, checkRewrite } from './http-answer.ts'
import { checkCors, checkFault, checkRetries } from './http-policy.ts'

const CLAIM_EXAMPLES = '@request.auth.claims.a.b or @request.auth.claims[a][b]'

export function checkHttpRoute(
  route: HTTPRoute,
  path: FieldPath,
  context: { isDelegate: boolean },
  report: Report,
): void {
  checkAction(route, path, context, report)
  route.match?.forEach((match, index) => {
    checkMatch(match, [...path, 'match', index], report)
  })
  route.route?.forEach((entry, index) => {
    checkDestination(entry.destination, [...path, 'route', index, 'destination'], report)
    checkHeaders(entry.headers, [...path, 'route', index, 'headers'], report)
  })
  checkWeights(route.route, [...path, 'route'], report)
  checkHeaders(route.headers, [...path, 'headers'], report)
  if (route.redirect !== undefined) checkRedirect(route.redirect, route.match, [...path, 'redirect'], report)
  if (route.rewrite !== undefined) checkRewrite(route.rewrite, [...path, 'rewrite'], report)
  if (route.directResponse !== undefined) checkDirectResponse(route.directResponse, [...path, 'directResponse'], report)
  checkAuthority(route, path, report)
  if (route.retries !== undefined) checkRetries(route.retries, [...path, 'retries'], report)
  if (route.fault !== undefined) checkFault(route.fault, [...path, 'fault'], report)
  if (route.corsPolicy !== undefined) checkCors(route.corsPolicy, [...path, 'corsPolicy'], report)
  checkMirrors(route, path, report)
}

/** A route goes to destinations, redirects, answers by itself, or delegates: exactly one of these. */
function checkAction(route: HTTPRoute, path: FieldPath, context: { isDelegate: boolean }, report: Report): void {
  const hasRoute = (route.route ?? []).length > 0
  const answers = [
    ...(hasRoute ? ['route'] : []),
    ...(route.redirect === undefined ? [] : ['redirect']),
    ...(route.directResponse === undefined ? [] : ['directResponse']),
  ]
  if (route.delegate !== undefined) {
    for (const name of answers) report.error([...path, name], 'cannot stand beside delegate')
    if (context.isDelegate) report.error([...path, 'delegate'], 'a delegate cannot delegate again')
    const { name, namespace } = route.delegate
    if (name === undefined || !isDnsSubdomain(name))
      report.error([...path, 'delegate', 'name'], 'must name a VirtualService')
    if (namespace !== undefined && namespace !== '' && !isDnsLabel(namespace)) {
      report.error([...path, 'delegate', 'namespace'], `"${namespace}" is no namespace`)
    }
    return
  }
  if (answers.length === 0) report.error(path, 'needs one of route, redirect, directResponse and delegate')
  if (answers.length > 1) report.error(path, `only one of ${answers.join(' and ')} may be given`)
  const answer = answers.find((name) => name !== 'route')
  if (answer === undefined || hasRoute) return
  for (const name of ['fault', 'rewrite'] as const) {
    if (route[name] !== undefined) report.error([...path, name], `cannot stand beside ${answer}`)
  }
}

function checkMatch(match: HTTPMatchRequest, path: FieldPath, report: Report): void {
  for (const field of ['uri', 'scheme', 'method', 'authority'] as const) {
    checkStringMatch(match[field], [...path, field], report)
  }
  for (const field of ['headers', 'withoutHeaders', 'queryParams'] as const) {
    for (const [name, value] of Object.entries(match[field] ?? {})) {
      const at = [...path, field, name]
      checkStringMatch(value, at, report, { mayBeEmpty: true })
      if (field === 'queryParams') {
        if (name === '') report.error(at, 'a query parameter needs a name')
      } else if (namesClaims(name)) {
        if (claimPath(name) === undefined) report.error(at, `"${name}" names no claim; write ${CLAIM_EXAMPLES}`)
      } else checkHeaderName(name, at, report)
    }
  }
  checkPort(match.port, [...path, 'port'], report)
  checkLabels(match.sourceLabels, [...path, 'sourceLabels'], report)
  checkGatewayNames(match.gateways, [...path, 'gateways'], report)
  const { sourceNamespace } = match
  if (sourceNamespace !== undefined && sourceNamespace !== '' && !isDnsLabel(sourceNamespace)) {
    report.error([...path, 'sourceNamespace'], `"${sourceNamespace}" is no namespace`)
  }
}

function checkHeaderName(name: string, path: FieldPath, report: Report): void {
  const plain = name.startsWith(':') ? name.slice(1) : name
  if (!isHeaderName(plain)) report.error(path, `"${name}" is no header name`)
}

function isAuthority(name: string): boolean {
  const folded = name.toLowerCase()
  return folded === 'host' || folded === ':authority'
}

function checkHeaders(headers: Headers | undefined, path: FieldPath, report: Report): void {
  for (const side of ['request', 'response'] as const) {
    const operations = headers?.[side]
    if (operations === undefined) continue
    for (const verb of ['set', 'add'] as const) {
      for (const name of Object.keys(operations[verb] ?? {})) {
        const at = [...path, side, verb, name]
        if (name.startsWith(':') && !(side === 'request' && isAuthority(name))) {
          report.error(at, `the pseudo-header "${name}" cannot be changed`)
        } else checkHeaderName(name, at, report)
      }
    }
    operations.remove?.forEach((name, index) => {
      const at = [...path, side, 'remove', index]
      if (name.startsWith(':') || (side === 'request' && isAuthority(name)))
        report.error(at, `"${name}" cannot be removed`)
      else checkHeaderName(name, at, report)
    })
  }
}

/** The authority may be rewritten in one place only. */
function checkAuthority(route: HTTPRoute, path: FieldPath, report: Report): void {
  const places: FieldPath[] = []
  if (route.rewrite?.authority !== undefined && route.rewrite.authority !== '')
    places.push([...path, 'rewrite', 'authority'])
  for (const verb of ['set', 'add'] as const) {
    for (const name of Object.keys(route.headers?.request?.[verb] ?? {})) {
      if (isAuthority(name)) places.push([...path, 'headers', 'request', verb, name])
    }
  }
  for (const place of places.slice(1)) report.error(place, 'the authority is already rewritten in another place')
}

function checkMirrors(route: HTTPRoute, path: FieldPath, report: Report): void {
  checkDestination(route.mirror, [...path, 'mirror'], report)
  if (route.mirror !== undefined && (route.mirrors ?? []).length > 0) {
    report.error([...path, 'mirrors'], 'cannot stand beside mirror')
  }
  route.mirrors?.forEach((policy, index) => {
    checkDestination(policy.destination, [...path, 'mirrors', index, 'destination'], report)
  })
  for (const old of ['mirrorPercent', 'mirror_percent'] as const) {
    const percent = route[old]
    if (percent !== undefined && percent > 100) report.error([...path, old], `must be at most 100, found ${percent}`)
  }
}
