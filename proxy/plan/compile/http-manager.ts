import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import {
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
  type HttpConnectionManager_InternalAddressConfig as InternalAddressConfig,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
  HttpConnectionManager_PathWithEscapedSlashesAction as SlashAction,
} from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { PrefixTable } from '../../../lib/prefix-table.ts'
import { compileHttpFilters } from '../../filters/http/builtin.ts'
import type { RuleOrigins } from '../../filters/rbac/policy.ts'
import type { ClientCertificatePlan, HttpManagerPlan, ListenerPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { wireText } from '../wire-text.ts'
import { durationMs } from './common.ts'
import { compileRanges } from './filter-chain-match.ts'
import { compileCallObservers } from './observers.ts'
import { compileRouteConfig } from './route-config.ts'

export const HTTP_MANAGER = HttpConnectionManagerSchema.typeName

/** Envoy's defaults (envoy.extensions.filters.network.http_connection_manager.v3). */
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000
const DEFAULT_STREAM_IDLE_TIMEOUT_MS = 300_000
const DEFAULT_MAX_REQUEST_HEADERS_KB = 60
/** Envoy allows 1024; each may hold a stream's credit of a slow reader's bytes. */
const DEFAULT_MAX_CONCURRENT_STREAMS = 256
/** The Server header's name when the configuration gives none. */
const DEFAULT_SERVER_NAME = 'lateen'

export function compileHttpManager(
  any: Any,
  path: string,
  origins: RuleOrigins | undefined,
  direction: ListenerPlan['trafficDirection'],
): HttpManagerPlan {
  const config = anyUnpack(any, HttpConnectionManagerSchema)
  if (config === undefined) return refuse(path, 'is not an HttpConnectionManager')
  const routes = routesOf(config, path)
  return {
    kind: 'http',
    statPrefix: config.statPrefix,
    ...routes,
    filters: compileHttpFilters(config.httpFilters, `${path}.http_filters`, origins),
    useRemoteAddress: config.useRemoteAddress ?? false,
    xffNumTrustedHops: config.xffNumTrustedHops,
    skipXffAppend: config.skipXffAppend,
    clientCertificate: compileClientCertificate(config),
    internalAddresses: compileInternal(config.internalAddressConfig, `${path}.internal_address_config`),
    // Envoy leaves this off; a proxy that matches on paths must not (the configuration can still say false).
    normalizePath: config.normalizePath ?? true,
    // The field cannot say no: merging goes with normalising as long as the configuration says nothing of that.
    mergeSlashes: config.mergeSlashes || config.normalizePath === undefined,
    escapedSlashes: ESCAPED_SLASHES[config.pathWithEscapedSlashesAction],
    acceptHttp10: config.httpProtocolOptions?.acceptHttp10 ?? false,
    allowCustomMethods: config.httpProtocolOptions?.allowCustomMethods ?? false,
    generateRequestId: config.generateRequestId ?? true,
    preserveExternalRequestId: config.preserveExternalRequestId,
    serverHeader: SERVER_HEADER[config.serverHeaderTransformation],
    serverName: wireText(config.serverName || DEFAULT_SERVER_NAME, `${path}.server_name`),
    via: wireText(config.via, `${path}.via`),
    upgrades: new Set(config.upgradeConfigs.filter((u) => u.enabled ?? true).map((u) => u.upgradeType.toLowerCase())),
    idleTimeoutMs: durationMs(config.commonHttpProtocolOptions?.idleTimeout, DEFAULT_IDLE_TIMEOUT_MS),
    streamIdleTimeoutMs: durationMs(config.streamIdleTimeout, DEFAULT_STREAM_IDLE_TIMEOUT_MS),
    requestTimeoutMs: durationMs(config.requestTimeout, 0),
    requestHeadersTimeoutMs: durationMs(config.requestHeadersTimeout, 0),
    maxRequestHeadersBytes: (config.maxRequestHeadersKb ?? DEFAULT_MAX_REQUEST_HEADERS_KB) * 1024,
    codec: CODEC[config.codecType] ?? refuse(`${path}.codec_type`, 'HTTP/3 is not supported'),
    maxConcurrentStreams: config.http2ProtocolOptions?.maxConcurrentStreams ?? DEFAULT_MAX_CONCURRENT_STREAMS,
    observers: compileCallObservers(config, path, direction),
    stripHostPort: config.stripPortMode.case === 'stripAnyHostPort' && config.stripPortMode.value,
  }
}

function routesOf(config: HttpConnectionManager, path: string): Pick<HttpManagerPlan, 'routes' | 'routeConfigName'> {
  const specifier = config.routeSpecifier
  if (specifier.case === 'rds') return { routes: undefined, routeConfigName: specifier.value.routeConfigName }
  if (specifier.case === 'routeConfig') {
    const routes = compileRouteConfig(specifier.value, `${path}.route_config`)
    return { routes, routeConfigName: routes.name }
  }
  return refuse(path, `route specifier ${specifier.case ?? 'missing'} is not supported`)
}

/** Without ranges no address is internal, as in Envoy since 1.33. */
function compileInternal(config: InternalAddressConfig | undefined, path: string): PrefixTable<true> | undefined {
  if (config === undefined || config.cidrRanges.length === 0) return undefined
  const table = new PrefixTable<true>()
  for (const { address, prefixLength } of compileRanges(config.cidrRanges, `${path}.cidr_ranges`)) {
    table.at(address, prefixLength, () => true)
  }
  return table
}

const CERTIFICATE_MODE: Partial<Record<ForwardClientCert, ClientCertificatePlan['mode']>> = {
  [ForwardClientCert.FORWARD_ONLY]: 'forward_only',
  [ForwardClientCert.APPEND_FORWARD]: 'append_forward',
  [ForwardClientCert.SANITIZE_SET]: 'sanitize_set',
  [ForwardClientCert.ALWAYS_FORWARD_ONLY]: 'always_forward_only',
}

function compileClientCertificate(config: HttpConnectionManager): ClientCertificatePlan | undefined {
  const mode = CERTIFICATE_MODE[config.forwardClientCertDetails]
  if (mode === undefined) return undefined
  const {
    cert = false,
    chain = false,
    subject = false,
    uri = false,
    dns = false,
  } = config.setCurrentClientCertDetails ?? {}
  return { mode, cert, chain, subject, uri, dns }
}

const CODEC: Partial<Record<CodecType, HttpManagerPlan['codec']>> = {
  [CodecType.AUTO]: 'auto',
  [CodecType.HTTP1]: 'http1',
  [CodecType.HTTP2]: 'http2',
}

const ESCAPED_SLASHES = {
  [SlashAction.IMPLEMENTATION_SPECIFIC_DEFAULT]: 'keep',
  [SlashAction.KEEP_UNCHANGED]: 'keep',
  [SlashAction.REJECT_REQUEST]: 'reject',
  [SlashAction.UNESCAPE_AND_REDIRECT]: 'redirect',
  [SlashAction.UNESCAPE_AND_FORWARD]: 'unescape',
} as const

const SERVER_HEADER = {
  [ServerHeader.OVERWRITE]: 'overwrite',
  [ServerHeader.APPEND_IF_ABSENT]: 'append_if_absent',
  [ServerHeader.PASS_THROUGH]: 'pass_through',
} as const
