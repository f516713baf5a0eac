/** Conditions on labels, each as PromQL has it: `reporter="source"`. */
export type Matchers = readonly string[]

/** The window that Grafana chooses for the resolution of a panel, never below four scrapes. */
export const PANEL_WINDOW = '$__rate_interval'

/** HTTP's errors of the server. */
const SERVER_ERROR = '5..'
/**
 * gRPC's, which HTTP carries in a 200: unknown, deadline exceeded, unimplemented, internal, unavailable, data loss. The
 * other codes are the caller's.
 */
const GRPC_SERVER_ERROR = '2|4|12|13|14|15'
/** What a request that succeeded has. */
export const SUCCEEDED: Matchers = [`response_code!~"${SERVER_ERROR}"`, `grpc_response_status!~"${GRPC_SERVER_ERROR}"`]
/** The proxy had nowhere to send the request: no healthy endpoint, overflow, no connection, no route, no cluster. */
export const UNROUTABLE: Matchers = ['response_flags=~"(.*,)?(UH|UO|UF|NR|NC)(,.*)?"']

export function select(name: string, matchers: Matchers = []): string {
  return matchers.length === 0 ? name : `${name}{${matchers.join(', ')}}`
}

export function sumBy(by: readonly string[], expression: string): string {
  return by.length === 0 ? `sum(${expression})` : `sum by (${by.join(', ')}) (${expression})`
}

/** Per second. */
export function rateBy(by: readonly string[], name: string, matchers: Matchers = [], window = PANEL_WINDOW): string {
  return sumBy(by, `rate(${select(name, matchers)}[${window}])`)
}

/** The part (0 to 1) of the requests that `matchers` choose for which `such` holds: 0, and not nothing, when there is none. */
export function partBy(by: readonly string[], matchers: Matchers, such: Matchers, window = PANEL_WINDOW): string {
  const all = rateBy(by, 'istio_requests_total', matchers, window)
  const some = rateBy(by, 'istio_requests_total', [...matchers, ...such], window)
  return `(${some} or 0 * ${all}) / (${all} > 0)`
}

export function successBy(by: readonly string[], matchers: Matchers, window = PANEL_WINDOW): string {
  return partBy(by, matchers, SUCCEEDED, window)
}

/** The quantile `q` (0 to 1) of a histogram. */
export function quantileBy(q: number, by: readonly string[], histogram: string, matchers: Matchers = []): string {
  return `histogram_quantile(${q}, ${rateBy([...by, 'le'], `${histogram}_bucket`, matchers)})`
}
