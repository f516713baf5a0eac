import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { type HTTPFault, HTTPFaultSchema } from '../../../../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import type { FractionalPercent } from '../../../../api/gen/envoy/type/v3/percent_pb.js'
import { durationMs, fractionOf, NEVER } from '../../../plan/compile/common.ts'
import { compileHeaderMatcher } from '../../../plan/compile/route-match.ts'
import type { HeaderMatcher } from '../../../plan/matchers.ts'
import type { Fraction } from '../../../plan/plan.ts'
import { refuse } from '../../../plan/plan-error.ts'

export interface FaultConfig {
  /** Without `ms` it is the request that says how long. */
  readonly delay: { readonly ms: number | undefined; readonly fraction: Fraction } | undefined
  readonly abort: AbortPlan | undefined
  /** Whose calls it meets; all those where nothing is said. */
  readonly headers: readonly HeaderMatcher[]
  readonly upstreamCluster: string
  readonly downstreamNodes: ReadonlySet<string> | undefined
  readonly maxActiveFaults: number
}

export type AbortPlan = { readonly fraction: Fraction } & (
  | { readonly by: 'config'; readonly httpStatus: number; readonly grpcStatus: number | undefined }
  | { readonly by: 'request' }
)

/** envoy.extensions.filters.http.fault.v3.HTTPFault. */
export function compileFault(any: Any, path: string): FaultConfig {
  const config = anyUnpack(any, HTTPFaultSchema)
  if (config === undefined) return refuse(path, 'is not an HTTPFault')
  if (config.responseRateLimit !== undefined) refuse(`${path}.response_rate_limit`, 'not supported')
  const { downstreamNodes } = config
  return {
    delay: delayOf(config, `${path}.delay`),
    abort: abortOf(config, `${path}.abort`),
    headers: config.headers.map((header, i) => compileHeaderMatcher(header, `${path}.headers[${i}]`)),
    upstreamCluster: config.upstreamCluster,
    downstreamNodes: downstreamNodes.length === 0 ? undefined : new Set(downstreamNodes),
    maxActiveFaults: config.maxActiveFaults ?? Number.POSITIVE_INFINITY,
  }
}

/** A percentage that is absent or 0 means never. It is kept even where it is always: a request may ask for less. */
function fractionOrNever(percent: FractionalPercent | undefined): Fraction {
  return percent === undefined ? NEVER : fractionOf(percent)
}

function delayOf(config: HTTPFault, path: string): FaultConfig['delay'] {
  if (config.delay === undefined) return undefined
  const { faultDelaySecifier: specifier, percentage } = config.delay
  const fraction = fractionOrNever(percentage)
  if (specifier.case === 'headerDelay') return { ms: undefined, fraction }
  if (specifier.case !== 'fixedDelay') return refuse(path, 'fixed_delay or header_delay is needed')
  const ms = durationMs(specifier.value, 0)
  return ms > 0 ? { ms, fraction } : refuse(`${path}.fixed_delay`, 'must be more than nothing')
}

function abortOf(config: HTTPFault, path: string): FaultConfig['abort'] {
  if (config.abort === undefined) return undefined
  const { errorType, percentage } = config.abort
  const fraction = fractionOrNever(percentage)
  switch (errorType.case) {
    case 'httpStatus':
      if (!isStatus(errorType.value)) refuse(`${path}.http_status`, 'must be 200 to 599')
      return { by: 'config', httpStatus: errorType.value, grpcStatus: undefined, fraction }
    case 'grpcStatus':
      return { by: 'config', httpStatus: 200, grpcStatus: errorType.value, fraction }
    case 'headerAbort':
      return { by: 'request', fraction }
    default:
      return refuse(path, 'http_status, grpc_status or header_abort is needed')
  }
}

export function isStatus(status: number): boolean {
  return status >= 200 && status < 600
}
