import { anyUnpack } from '@bufbuild/protobuf/wkt'
import {
  type AccessLogFilter,
  ComparisonFilter_Op as Comparison,
  type ComparisonFilter,
  GrpcStatusFilter_Status,
} from '../../../api/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import { AccessLogType } from '../../../api/gen/envoy/data/accesslog/v3/accesslog_pb.js'
import { ExpressionFilterSchema } from '../../../api/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js'
import type { Random } from '../../../lib/random.ts'
import { headerMatches } from '../../decide/fields.ts'
import { metadataAt, metadataMatches } from '../../decide/metadata.ts'
import type { NodeFacts } from '../../node-facts.ts'
import { fractionOf, NEVER } from '../../plan/compile/common.ts'
import { compileMetadataMatcher } from '../../plan/compile/metadata-matcher.ts'
import { compileHeaderMatcher } from '../../plan/compile/route-match.ts'
import { refuse } from '../../plan/plan-error.ts'
import type { Subject } from '../cel/attributes.ts'
import { compileCel } from '../cel/compile.ts'
import { grpcStatusOf } from './grpc-status.ts'

/** What filters are asked with. */
export interface FilterContext {
  readonly random: Random
  readonly node: NodeFacts
}

/** Whether the call or connection is logged. */
export type LogFilter = (subject: Subject, context: FilterContext) => boolean

const COMPARISONS: Partial<Record<Comparison, (found: number, wanted: number) => boolean>> = {
  [Comparison.EQ]: (found, wanted) => found === wanted,
  [Comparison.GE]: (found, wanted) => found >= wanted,
  [Comparison.LE]: (found, wanted) => found <= wanted,
}

function comparison(config: ComparisonFilter | undefined, read: (subject: Subject) => number, path: string): LogFilter {
  const compare = config && COMPARISONS[config.op]
  if (config?.value === undefined || compare === undefined) return refuse(`${path}.comparison`, 'is needed')
  // Whatever runtime key it names: there is no runtime that says another value.
  const wanted = config.value.defaultValue
  return (subject) => compare(read(subject), wanted)
}

/** Status of gRPC that an answer without one stands for (gRPC, "HTTP to gRPC Status Code Mapping"). */
const GRPC_OF_HTTP: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
}
const GRPC_UNKNOWN = 2

/** envoy.config.accesslog.v3.AccessLogFilter. Throws a PlanError; `responseFields` takes the fields of answers that are read. */
export function compileLogFilter(
  { filterSpecifier: kind }: AccessLogFilter,
  path: string,
  responseFields: Set<string>,
): LogFilter {
  switch (kind.case) {
    case 'statusCodeFilter':
      return comparison(
        kind.value.comparison,
        (subject) => (subject.isCall ? subject.status : 0),
        `${path}.status_code_filter`,
      )
    case 'durationFilter':
      return comparison(kind.value.comparison, (subject) => Math.floor(subject.durationMs), `${path}.duration_filter`)
    // No filter here answers health checks itself.
    case 'notHealthCheckFilter':
      return () => true
    case 'traceableFilter':
      return (subject) => subject.isCall && subject.trace?.isSampled === true
    case 'runtimeFilter': {
      const { percentSampled } = kind.value
      const { numerator, denominator } = percentSampled === undefined ? NEVER : fractionOf(percentSampled)
      return (_subject, { random }) => random.next() * denominator < numerator
    }
    case 'andFilter': {
      const filters = kind.value.filters.map((one, i) =>
        compileLogFilter(one, `${path}.and_filter.filters[${i}]`, responseFields),
      )
      return (subject, context) => filters.every((filter) => filter(subject, context))
    }
    case 'orFilter': {
      const filters = kind.value.filters.map((one, i) =>
        compileLogFilter(one, `${path}.or_filter.filters[${i}]`, responseFields),
      )
      return (subject, context) => filters.some((filter) => filter(subject, context))
    }
    case 'headerFilter': {
      const { header } = kind.value
      if (header === undefined) return refuse(`${path}.header_filter.header`, 'is needed')
      const matcher = compileHeaderMatcher(header, `${path}.header_filter.header`)
      return (subject) => subject.isCall && headerMatches(matcher, subject.head)
    }
    case 'responseFlagFilter': {
      const wanted = new Set<string>(kind.value.flags)
      return (subject) => {
        const flags = subject.isCall ? subject.flags : subject.flag === '' ? [] : [subject.flag]
        return wanted.size === 0 ? flags.length > 0 : flags.some((flag) => wanted.has(flag))
      }
    }
    case 'grpcStatusFilter': {
      responseFields.add('grpc-status')
      const { statuses, exclude } = kind.value
      const wanted = new Set<number>(
        statuses.map((status) => (GrpcStatusFilter_Status[status] === undefined ? -1 : status)),
      )
      return (subject) => {
        if (!subject.isCall) return exclude
        const fallback = subject.status === 200 ? 0 : (GRPC_OF_HTTP[subject.status] ?? GRPC_UNKNOWN)
        return wanted.has(grpcStatusOf(subject) ?? fallback) !== exclude
      }
    }
    case 'metadataFilter': {
      const { matcher: config, matchIfKeyNotFound } = kind.value
      const matchesAbsent = matchIfKeyNotFound ?? true
      if (config === undefined) return () => matchesAbsent
      const matcher = compileMetadataMatcher(config, `${path}.metadata_filter.matcher`)
      return (subject) => {
        if (!subject.isCall) return matchesAbsent
        const { decision } = subject
        return metadataAt(decision, matcher.filter, matcher.path) === undefined
          ? matchesAbsent
          : metadataMatches(matcher, decision)
      }
    }
    case 'logTypeFilter': {
      const types = new Set(kind.value.types)
      const { exclude } = kind.value
      return (subject) => {
        const type = subject.isCall ? AccessLogType.DownstreamEnd : AccessLogType.TcpConnectionEnd
        return types.has(type) !== exclude
      }
    }
    case 'extensionFilter': {
      const { typedConfig } = kind.value.configType
        ? { typedConfig: kind.value.configType.value }
        : { typedConfig: undefined }
      const config = typedConfig && anyUnpack(typedConfig, ExpressionFilterSchema)
      if (config === undefined)
        return refuse(`${path}.extension_filter`, 'only envoy.extensions.access_loggers.filters.cel.v3 is supported')
      const expression = compileCel(config.expression, `${path}.extension_filter.expression`)
      for (const field of expression.responseFields) responseFields.add(field)
      return (subject, { node }) => expression.evaluate(subject, node) === true
    }
    default:
      return refuse(path, 'no filter that is known')
  }
}
