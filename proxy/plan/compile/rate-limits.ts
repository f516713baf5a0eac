import { anyUnpack } from '@bufbuild/protobuf/wkt'
import {
  type RateLimit_Action as Action,
  RateLimit_Action_MetaData_Source as MetadataSource,
  type RateLimit,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { DescriptorSchema } from '../../../api/gen/envoy/extensions/rate_limit_descriptors/expr/v3/expr_pb.js'
import { type ActionPlan, EXPRESSIONS, type RateLimitPlan } from '../../limits/rate-limit.ts'
import { refuse } from '../plan-error.ts'
import { compileHeaderMatcher, compileQueryMatcher } from './route-match.ts'

const MAX_STAGE = 10

/** envoy.config.route.v3.RateLimit, of a virtual host, a route or a filter. */
export function compileRateLimits(limits: readonly RateLimit[], path: string): readonly RateLimitPlan[] {
  return limits.map((limit, i) => {
    const at = `${path}[${i}]`
    const stage = limit.stage ?? 0
    if (stage > MAX_STAGE) refuse(`${at}.stage`, `at most ${MAX_STAGE}`)
    if (limit.limit !== undefined) refuse(`${at}.limit`, 'not supported')
    if ((limit.$unknown ?? []).length > 0) refuse(at, 'has a field that is not supported')
    if (limit.actions.length === 0) refuse(`${at}.actions`, 'at least one is needed')
    return { stage, actions: limit.actions.map((action, j) => compileAction(action, `${at}.actions[${j}]`)) }
  })
}

function compileAction({ actionSpecifier: action }: Action, path: string): ActionPlan {
  switch (action.case) {
    case 'sourceCluster':
      return { kind: 'source_cluster', key: 'source_cluster' }
    case 'destinationCluster':
      return { kind: 'destination_cluster', key: 'destination_cluster' }
    case 'remoteAddress':
      return { kind: 'remote_address', key: 'remote_address' }
    case 'maskedRemoteAddress': {
      const { v4PrefixMaskLen: v4Bits = 32, v6PrefixMaskLen: v6Bits = 128 } = action.value
      return { kind: 'masked_remote_address', key: 'masked_remote_address', v4Bits, v6Bits }
    }
    case 'requestHeaders': {
      const { headerName, descriptorKey, skipIfAbsent } = action.value
      if (headerName === '') refuse(`${path}.request_headers.header_name`, 'is needed')
      if (descriptorKey === '') refuse(`${path}.request_headers.descriptor_key`, 'is needed')
      const lower = headerName.toLowerCase()
      return {
        kind: 'request_headers',
        key: descriptorKey,
        name: lower === 'host' ? ':authority' : lower,
        skipIfAbsent,
      }
    }
    case 'queryParameters': {
      const { queryParameterName: name, descriptorKey, skipIfAbsent } = action.value
      if (name === '') refuse(`${path}.query_parameters.query_parameter_name`, 'is needed')
      if (descriptorKey === '') refuse(`${path}.query_parameters.descriptor_key`, 'is needed')
      return { kind: 'query_parameters', key: descriptorKey, name, skipIfAbsent }
    }
    case 'genericKey': {
      const { descriptorKey, descriptorValue: value } = action.value
      if (value === '') refuse(`${path}.generic_key.descriptor_value`, 'is needed')
      return { kind: 'generic_key', key: descriptorKey || 'generic_key', value }
    }
    case 'headerValueMatch': {
      const at = `${path}.header_value_match`
      const { descriptorKey, descriptorValue: value, expectMatch: wants = true } = action.value
      if (value === '') refuse(`${at}.descriptor_value`, 'is needed')
      if (action.value.headers.length === 0) refuse(`${at}.headers`, 'at least one is needed')
      const headers = action.value.headers.map((one, i) => compileHeaderMatcher(one, `${at}.headers[${i}]`))
      return { kind: 'header_value_match', key: descriptorKey || 'header_match', value, wants, headers }
    }
    case 'queryParameterValueMatch': {
      const at = `${path}.query_parameter_value_match`
      const { descriptorKey, descriptorValue: value, expectMatch: wants = true, queryParameters } = action.value
      if (value === '') refuse(`${at}.descriptor_value`, 'is needed')
      if (queryParameters.length === 0) refuse(`${at}.query_parameters`, 'at least one is needed')
      const query = queryParameters.map((one, i) => compileQueryMatcher(one, `${at}.query_parameters[${i}]`))
      return { kind: 'query_parameter_value_match', key: descriptorKey || 'query_match', value, wants, query }
    }
    case 'metadata': {
      const { descriptorKey: key, metadataKey, defaultValue, source, skipIfAbsent } = action.value
      if (source !== MetadataSource.DYNAMIC) refuse(`${path}.metadata.source`, 'only DYNAMIC is supported')
      const keys = (metadataKey?.path ?? []).map(({ segment }) => (segment.case === 'key' ? segment.value : ''))
      if (metadataKey === undefined) return refuse(`${path}.metadata.metadata_key`, 'is needed')
      return { kind: 'metadata', key, filter: metadataKey.key, path: keys, orElse: defaultValue, skipIfAbsent }
    }
    case 'extension': {
      const any = action.value.typedConfig
      const expression = any && anyUnpack(any, DescriptorSchema)
      if (expression === undefined) return refuse(`${path}.extension`, `${action.value.name} is not supported`)
      const { exprSpecifier, descriptorKey: key, skipIfError: skipIfAbsent } = expression
      const text = exprSpecifier.case === 'text' ? exprSpecifier.value : ''
      if (!Object.hasOwn(EXPRESSIONS, text)) {
        return refuse(
          `${path}.extension`,
          `of expressions only these are supported: ${Object.keys(EXPRESSIONS).join('; ')}`,
        )
      }
      return { kind: 'expression', key, expression: EXPRESSIONS[text as keyof typeof EXPRESSIONS], skipIfAbsent }
    }
    default:
      return refuse(path, `action ${action.case ?? 'missing'} is not supported`)
  }
}
