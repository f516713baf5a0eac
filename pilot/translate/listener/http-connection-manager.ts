import { create } from '@bufbuild/protobuf'
import { VirtualHostSchema } from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '../../../api/gen/envoy/config/route/v3/route_pb.js'
import { CorsSchema } from '../../../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { HTTPFaultSchema } from '../../../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { RouterSchema } from '../../../api/gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  type HttpConnectionManager,
  HttpConnectionManager_SetCurrentClientCertDetailsSchema,
  HttpConnectionManager_UpgradeConfigSchema,
  HttpConnectionManagerSchema,
  type HttpFilter,
  HttpFilterSchema,
  RdsSchema,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { MeshOptions } from '../../mesh/options.ts'
import type { ModeTelemetry } from '../../mesh/telemetry.ts'
import { applyToVirtualHost, withHttpLimits } from '../limits/apply.ts'
import type { PlacedPatch } from '../limits/plan.ts'
import { adsSource, any, duration, metadata } from '../messages.ts'
import { policyFilters, withPolicy } from '../policy/filters.ts'
import { CORS_FILTER, clusterRoute, FAULT_FILTER } from '../route/route.ts'
import { accessLogs } from '../telemetry/access-logs.ts'
import { peerMetadataFilters, statsFilters } from '../telemetry/metrics.ts'
import { NO_TELEMETRY } from '../telemetry/plan.ts'
import { tracingFields } from '../telemetry/tracing.ts'
import type { HttpRole, HttpTarget, InlineRoutes } from './plan.ts'

const ROUTER_FILTER = 'envoy.filters.http.router'

/**
 * Istio's HTTP connection manager (istio.io: pilot/pkg/networking/core/listener.go), as far as its filters are ours. `firstFilters`
 * are those that a call must pass before all others.
 */
export function httpConnectionManager(
  target: HttpTarget,
  firstFilters: readonly HttpFilter[],
  options: MeshOptions,
  limits: readonly PlacedPatch[] = [],
  telemetry: ModeTelemetry = NO_TELEMETRY,
): HttpConnectionManager {
  return create(HttpConnectionManagerSchema, {
    statPrefix: target.statPrefix,
    routeSpecifier: routeSpecifier(target, limits),
    httpFilters: withHttpLimits(
      [
        ...peerMetadataFilters(telemetry, target.role),
        ...firstFilters,
        ...policyFilters(target.policy),
        ...httpFilters(statsFilters(telemetry, target.role)),
      ],
      limits,
    ),
    upgradeConfigs: [create(HttpConnectionManager_UpgradeConfigSchema, { upgradeType: 'websocket' })],
    normalizePath: true,
    mergeSlashes: true,
    streamIdleTimeout: duration(0),
    accessLog: accessLogs(telemetry, 'http'),
    ...tracingFields(telemetry),
    ...roleFields(target.role, options),
  })
}

function routeSpecifier(
  { routes, policy }: HttpTarget,
  limits: readonly PlacedPatch[],
): HttpConnectionManager['routeSpecifier'] {
  if ('rds' in routes) {
    return { case: 'rds', value: create(RdsSchema, { configSource: adsSource(), routeConfigName: routes.rds }) }
  }
  return { case: 'routeConfig', value: inlineRoutes(routes, limits, policy) }
}

function inlineRoutes(
  { name, virtualHost, cluster, origin }: InlineRoutes,
  limits: readonly PlacedPatch[],
  policy: HttpTarget['policy'],
) {
  return create(RouteConfigurationSchema, {
    name,
    validateClusters: false,
    virtualHosts: [
      applyToVirtualHost(
        withPolicy(
          create(VirtualHostSchema, {
            name: virtualHost,
            domains: ['*'],
            routes: [clusterRoute('default', cluster)],
            metadata: metadata(origin),
          }),
          policy,
        ),
        limits,
      ),
    ],
  })
}

function httpFilters(stats: readonly HttpFilter[]) {
  const filter = (name: string, typedConfig: ReturnType<typeof any>) =>
    create(HttpFilterSchema, { name, configType: { case: 'typedConfig', value: typedConfig } })
  return [
    filter(CORS_FILTER, any(CorsSchema, create(CorsSchema))),
    filter(FAULT_FILTER, any(HTTPFaultSchema, create(HTTPFaultSchema))),
    ...stats,
    filter(ROUTER_FILTER, any(RouterSchema, create(RouterSchema))),
  ]
}

/** A gateway stands at the edge: it trusts no header about the client, and answers under the mesh's name. */
function roleFields(role: HttpRole, { serverName }: MeshOptions) {
  switch (role) {
    case 'sidecarOutbound':
      return { serverHeaderTransformation: ServerHeader.PASS_THROUGH, useRemoteAddress: false }
    case 'sidecarInbound':
      return { serverName, useRemoteAddress: false, ...clientCertificate(ForwardClientCert.APPEND_FORWARD) }
    case 'gateway':
      return { serverName, useRemoteAddress: true, ...clientCertificate(ForwardClientCert.SANITIZE_SET) }
  }
}

function clientCertificate(forwardClientCertDetails: ForwardClientCert) {
  return {
    forwardClientCertDetails,
    setCurrentClientCertDetails: create(HttpConnectionManager_SetCurrentClientCertDetailsSchema, {
      subject: true,
      dns: true,
      uri: true,
    }),
  }
}
