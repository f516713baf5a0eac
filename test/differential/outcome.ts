import type { Explanation } from '../../proxy/decide/explain.ts'
import { echoOf } from '../support/echo-server.ts'
import type { RawResponse } from '../support/raw-http.ts'

/** What became of a request, in the form in which planes are compared. */
export interface Outcome {
  status: number
  /** The echo server that answered, or '' for an answer of the proxy's own. */
  server: string
  path: string
  host: string
  requestHeaders: Record<string, string>
  responseHeaders: Record<string, string>
  /** Of an answer of the proxy's own. */
  body: string
}

/** What may differ between two proxies that do the same, and why. */
const VARYING_REQUEST_HEADERS: Record<string, string> = {
  'x-request-id': 'random',
  connection: 'each manages its own connections',
  'x-forwarded-for': 'Envoy writes the address of its machine in the place of a loopback peer',
  'x-envoy-decorator-operation': 'tracing',
}
const VARYING_RESPONSE_HEADERS: Record<string, string> = {
  date: 'the time',
  server: 'each names itself',
  'x-envoy-upstream-service-time': 'a measured time',
  connection: 'each manages its own connections',
  'transfer-encoding': 'framing of the connection',
  'content-length': 'holds the length of an echo of varying headers',
  'keep-alive': 'each manages its own connections',
}

export function outcomeOf(response: RawResponse): Outcome {
  const echo = echoOf(response)
  return {
    status: response.status,
    server: response.headers['x-from-upstream'] === undefined ? '' : (echo?.server ?? 'head'),
    path: echo?.path ?? '',
    host: echo?.headers.host ?? '',
    requestHeaders: without(echo?.headers ?? {}, VARYING_REQUEST_HEADERS, ['host']),
    responseHeaders: without(response.headers, VARYING_RESPONSE_HEADERS, []),
    body: echo === undefined ? response.body : '',
  }
}

function without(
  headers: Record<string, string>,
  varying: Record<string, string>,
  more: string[],
): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => varying[name] === undefined && !more.includes(name))
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The part of an outcome that an explanation foretells, and the same part as it was foretold. */
export function foretold(outcome: Outcome, explanation: Explanation): [seen: unknown, foretold: unknown] {
  if (explanation.redirect !== null) {
    return [
      { status: outcome.status, location: outcome.responseHeaders.location },
      { status: explanation.redirect.status, location: explanation.redirect.location },
    ]
  }
  if (explanation.directResponse !== null) return [outcome.status, explanation.directResponse.status]
  if (outcome.server === 'head') return [outcome.server, 'head']
  const subset = explanation.subset ?? outcome.server
  return [
    { server: outcome.server, path: outcome.path, host: outcome.host },
    { server: subset, path: explanation.path, host: explanation.host },
  ]
}
