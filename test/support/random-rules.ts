import { stringify } from 'yaml'
import { type Random, randomInt } from '../../lib/random.ts'

/*
 * Random VirtualServices, and requests that meet them: both are drawn from the same few paths, methods and headers, so
 * that rules are often met and often just missed.
 */

const PATHS = ['/', '/a', '/a/', '/a/b', '/A/b', '/b', '/b/12', '/b/ab', '/abc', '/c/d/e'] as const
const PREFIXES = ['/', '/a', '/a/', '/b/', '/A', '/c'] as const
const REGEXES = ['/[ab]/?', '/b/[0-9]+', '.*', '/(a|c)/.+', '/b/\\w{2}'] as const
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'] as const
const HEADERS = ['x-one', 'x-two', 'end-user'] as const
const VALUES = ['', '1', '12', 'jason', 'ja', 'beta,stable', 'Jason'] as const
const VALUE_REGEXES = ['[0-9]+', 'ja.*', '.*stable', '(?i)jason'] as const
const QUERIES = ['v', 'w'] as const

export interface RandomRuleOptions {
  host: string
  /** Destinations, as `host` and `subset`. */
  destinations: readonly { host: string; subset?: string }[]
  /** Port of all destinations. */
  port: number
  /** Where copies go; none when absent. */
  mirror?: string
  /** Only rules that hand the request to a destination, untouched by faults. */
  onlyForwards?: boolean
  /** Nothing is left to chance: one destination a route, percentages of 0 or 100. */
  withoutDice?: boolean
}

/** A valid VirtualService whose last route takes everything. */
export function randomVirtualService(
  random: Random,
  options: RandomRuleOptions,
  first: readonly object[] = [],
): string {
  const http: object[] = [...first]
  for (let i = randomInt(random, 6); i > 0; i--)
    http.push({ match: randomMatches(random), ...randomAction(random, options) })
  http.push({ route: randomRoute(random, options) })
  return stringify({
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: options.host },
    spec: { hosts: [options.host], http },
  })
}

export interface RandomRequest {
  method: string
  path: string
  headers: [name: string, value: string][]
}

export function randomRequest(random: Random): RandomRequest {
  let path: string = pick(random, PATHS)
  if (maybe(random, 0.15)) path = path.toUpperCase()
  if (maybe(random, 0.15)) path = path.replace('/', pick(random, ['//', '/./', '/x/../', '/%61/']))
  if (maybe(random, 0.3)) path += `?${pick(random, QUERIES)}=${pick(random, ['', '1', '12', 'x'])}`
  const headers: [string, string][] = []
  for (let i = randomInt(random, 4); i > 0; i--) headers.push([pick(random, HEADERS), pick(random, VALUES)])
  return { method: pick(random, METHODS), path, headers }
}

function randomMatches(random: Random): object[] {
  return Array.from({ length: 1 + randomInt(random, 2) }, () => {
    const match: Record<string, unknown> = {}
    if (maybe(random, 0.7)) match.uri = stringMatch(random, PATHS, PREFIXES, REGEXES)
    if (match.uri !== undefined && maybe(random, 0.2) && !('regex' in (match.uri as object))) match.ignoreUriCase = true
    if (maybe(random, 0.25)) match.method = stringMatch(random, METHODS, ['P', 'G', 'D'], ['P.*', 'GET|HEAD'])
    if (maybe(random, 0.4)) match.headers = { [pick(random, HEADERS)]: valueMatch(random) }
    if (maybe(random, 0.2)) match.withoutHeaders = { [pick(random, HEADERS)]: valueMatch(random) }
    if (maybe(random, 0.2))
      match.queryParams = { [pick(random, QUERIES)]: stringMatch(random, ['', '1'], ['1'], ['[0-9]*']) }
    if (maybe(random, 0.1)) match.scheme = { exact: pick(random, ['http', 'https']) }
    // A match without any condition is refused by Istio's validation.
    return Object.keys(match).length === 0 ? { uri: { prefix: '/' } } : match
  })
}

function randomAction(random: Random, options: RandomRuleOptions): object {
  const kind = options.onlyForwards ? 3 : randomInt(random, 10)
  if (kind === 0) return { redirect: randomRedirect(random) }
  if (kind === 1) return { directResponse: { status: pick(random, [200, 404, 503]), body: { string: 'direct' } } }
  const action: Record<string, unknown> = { route: randomRoute(random, options) }
  if (maybe(random, 0.25)) action.rewrite = randomRewrite(random)
  if (maybe(random, 0.3)) action.headers = { request: randomHeaderEdits(random) }
  if (maybe(random, 0.2)) action.timeout = pick(random, ['5s', '30s', '0s'])
  if (maybe(random, 0.2))
    action.retries = { attempts: 1 + randomInt(random, 3), perTryTimeout: '3s', retryOn: '5xx,connect-failure' }
  if (options.mirror !== undefined && maybe(random, 0.2)) {
    const percentage = { value: pick(random, options.withoutDice ? [0, 100] : [0, 25, 50, 100]) }
    action.mirrors = [{ destination: { host: options.mirror, port: { number: options.port } }, percentage }]
  }
  if (!options.onlyForwards && maybe(random, 0.15)) {
    action.fault = {
      abort: {
        httpStatus: pick(random, [418, 500, 555]),
        percentage: { value: pick(random, options.withoutDice ? [0, 100] : [0, 30, 100]) },
      },
    }
  }
  return action
}

function randomRoute(random: Random, { destinations, port, withoutDice }: RandomRuleOptions): object[] {
  const chosen = withoutDice ? [] : destinations.filter(() => maybe(random, 0.7))
  if (chosen.length === 0) chosen.push(pick(random, destinations))
  const shares: number[] = chosen.map(() => randomInt(random, 4) * 10)
  if (!shares.some((share) => share > 0)) shares[0] = 100
  return chosen.map((destination, i) => ({
    destination: { ...destination, port: { number: port } },
    ...(chosen.length > 1 ? { weight: shares[i] } : {}),
    ...(maybe(random, 0.15) ? { headers: { request: randomHeaderEdits(random) } } : {}),
  }))
}

function randomRewrite(random: Random): object {
  if (maybe(random, 0.2)) return { uriRegexRewrite: { match: '^/([a-c])/?(.*)$', rewrite: '/\\2/\\1' } }
  if (maybe(random, 0.3)) return { authority: 'elsewhere.example.org' }
  return { uri: pick(random, ['/', '/new', '/new/']) }
}

function randomRedirect(random: Random): object {
  const redirect: Record<string, unknown> = { uri: pick(random, ['/there', '/']) }
  if (maybe(random, 0.3)) redirect.authority = 'there.example.org'
  if (maybe(random, 0.3)) redirect.scheme = 'https'
  if (maybe(random, 0.3)) redirect.port = 8443
  if (maybe(random, 0.5)) redirect.redirectCode = pick(random, [302, 307, 308])
  return redirect
}

function randomHeaderEdits(random: Random): object {
  const edits: Record<string, unknown> = {}
  if (maybe(random, 0.6)) edits.set = { [pick(random, HEADERS)]: 'set' }
  if (maybe(random, 0.6)) edits.add = { [pick(random, HEADERS)]: 'added' }
  if (maybe(random, 0.3)) edits.remove = [pick(random, HEADERS)]
  return edits
}

function valueMatch(random: Random): object {
  if (maybe(random, 0.2)) return {}
  return stringMatch(random, VALUES.slice(1), ['j', '1', 'beta'], VALUE_REGEXES)
}

function stringMatch(
  random: Random,
  exact: readonly string[],
  prefix: readonly string[],
  regex: readonly string[],
): object {
  switch (randomInt(random, 3)) {
    case 0:
      return { exact: pick(random, exact) }
    case 1:
      return { prefix: pick(random, prefix) }
    default:
      return { regex: pick(random, regex) }
  }
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[randomInt(random, from.length)] as T
}

function maybe(random: Random, probability: number): boolean {
  return random.next() < probability
}
