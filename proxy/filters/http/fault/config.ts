import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { type HTTPFault, HTTPFaultSchema } from '../../../../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { compileFraction, durationMs } from '../../../plan/compile/common.ts'
import { compileHeaderMatcher } from '../../../plan/compile/route-match.ts'
import type { HeaderMatcher } from '../../../plan/matchers.ts'
import type { Fraction } from '../../../plan/plan.ts'
import { refuse } from '../../../plan/plan-error.ts'

export interface FaultConfig {
  readonly delay: { readonly ms: number; readonly fraction: Fraction | undefined } | undefined
  readonly abort:
    | { readonly httpStatus: number; readonly grpcStatus: number | undefined; readonly fraction: Fraction | undefined }
    | undefined
  readonly headers: readonly HeaderMatcher[]
}

/** envoy.extensions.filters.http.fault.v3.HTTPFault. */
export function compileFault(any: Any, path: string): FaultConfig {
  const config = anyUnpack(any, HTTPFaultSchema)
  if (config === undefined) return refuse(path, 'is not an HTTPFault')
  if (config.responseRateLimit !== undefined) refuse(`${path}.response_rate_limit`, 'not supported')
  if (config.upstreamCluster !== '') refuse(`${path}.upstream_cluster`, 'not supported')
  if (config.downstreamNodes.length > 0) refuse(`${path}.downstream_nodes`, 'not supported')
  return {
    delay: delayOf(config, `${path}.delay`),
    abort: abortOf(config, `${path}.abort`),
    headers: config.headers.map((header, i) => compileHeaderMatcher(header, `${path}.headers[${i}]`)),
  }
}

/** A percentage that is absent or 0 means never, so the fault is left out. */
const NEVER = { numerator: 0, denominator: 100 }

function delayOf(config: HTTPFault, path: string): FaultConfig['delay'] {
  if (config.delay === undefined) return undefined
  const { faultDelaySecifier: specifier, percentage } = config.delay
  if (specifier.case !== 'fixedDelay') return refuse(path, 'only fixed_delay is supported')
  return {
    ms: durationMs(specifier.value, 0),
    fraction: percentage === undefined ? NEVER : compileFraction(percentage),
  }
}

function abortOf(config: HTTPFault, path: string): FaultConfig['abort'] {
  if (config.abort === undefined) return undefined
  const { errorType, percentage } = config.abort
  const fraction = percentage === undefined ? NEVER : compileFraction(percentage)
  if (errorType.case === 'httpStatus') return { httpStatus: errorType.value, grpcStatus: undefined, fraction }
  if (errorType.case === 'grpcStatus') return { httpStatus: 200, grpcStatus: errorType.value, fraction }
  return refuse(path, 'only http_status and grpc_status are supported')
}
