import { anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import { ProxyProtocolConfig_Version as Version } from '../../../api/gen/envoy/config/core/v3/proxy_protocol_pb.js'
import type {
  ListenerFilter,
  ListenerFilterChainMatchPredicate,
} from '../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import { HttpInspectorSchema } from '../../../api/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js'
import { OriginalDstSchema } from '../../../api/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js'
import { ProxyProtocolSchema } from '../../../api/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js'
import { TlsInspectorSchema } from '../../../api/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'
import {
  type ConnectionRateLimitPlan,
  compileListenerRateLimit,
  LISTENER_LOCAL_RATE_LIMIT,
} from '../../filters/network/local-ratelimit/config.ts'
import type { ListenerFilterPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'

/** envoy.config.listener.v3.ListenerFilter. Throws a PlanError that names the field. */
export function compileListenerFilter(
  filter: ListenerFilter,
  path: string,
): ListenerFilterPlan | ConnectionRateLimitPlan {
  if (filter.configType.case !== 'typedConfig') return refuse(`${path}.typed_config`, 'is needed')
  const any = filter.configType.value
  const disabled = filter.filterDisabled
  if (anyIs(any, LISTENER_LOCAL_RATE_LIMIT)) {
    if (disabled !== undefined) refuse(`${path}.filter_disabled`, 'is not supported here')
    return compileListenerRateLimit(any, `${path}.typed_config`)
  }
  const isDisabled = disabled && compilePredicate(disabled, `${path}.filter_disabled`)
  if (anyIs(any, OriginalDstSchema)) return { kind: 'original_dst', isDisabled }
  if (anyIs(any, TlsInspectorSchema)) return { kind: 'tls_inspector', isDisabled }
  if (anyIs(any, HttpInspectorSchema)) return { kind: 'http_inspector', isDisabled }
  const proxy = anyUnpack(any, ProxyProtocolSchema)
  if (proxy === undefined) return refuse(path, `listener filter ${filter.name} (${any.typeUrl}) is not supported`)
  const disallowed = proxy.disallowedVersions
  return {
    kind: 'proxy_protocol',
    isDisabled,
    isOptional: proxy.allowRequestsWithoutProxyProtocol,
    versions: { v1: !disallowed.includes(Version.V1), v2: !disallowed.includes(Version.V2) },
  }
}

type PortPredicate = (port: number) => boolean

function compilePredicate({ rule }: ListenerFilterChainMatchPredicate, path: string): PortPredicate {
  switch (rule.case) {
    case 'anyMatch':
      return () => true
    case 'destinationPortRange': {
      const { start, end } = rule.value
      return (port) => port >= start && port < end
    }
    case 'notMatch': {
      const inner = compilePredicate(rule.value, `${path}.not_match`)
      return (port) => !inner(port)
    }
    case 'orMatch': {
      const rules = rule.value.rules.map((one, i) => compilePredicate(one, `${path}.or_match.rules[${i}]`))
      return (port) => rules.some((matches) => matches(port))
    }
    case 'andMatch': {
      const rules = rule.value.rules.map((one, i) => compilePredicate(one, `${path}.and_match.rules[${i}]`))
      return (port) => rules.every((matches) => matches(port))
    }
    default:
      return refuse(path, 'a rule is needed')
  }
}
