import { create } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { HeaderValueOptionSchema, HeaderValueSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  GrpcService_EnvoyGrpcSchema,
  GrpcServiceSchema,
} from '../../../api/gen/envoy/config/core/v3/grpc_service_pb.js'
import { HttpServiceSchema } from '../../../api/gen/envoy/config/core/v3/http_service_pb.js'
import { HttpUriSchema } from '../../../api/gen/envoy/config/core/v3/http_uri_pb.js'
import { Tracing_HttpSchema } from '../../../api/gen/envoy/config/trace/v3/http_tracer_pb.js'
import { OpenTelemetryConfigSchema } from '../../../api/gen/envoy/config/trace/v3/opentelemetry_pb.js'
import {
  ZipkinConfig_CollectorEndpointVersion,
  ZipkinConfig_TraceContextOption,
  ZipkinConfigSchema,
} from '../../../api/gen/envoy/config/trace/v3/zipkin_pb.js'
import {
  type HttpConnectionManager,
  HttpConnectionManager_TracingSchema,
  RequestIDExtensionSchema,
} from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { UuidRequestIdConfigSchema } from '../../../api/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js'
import {
  CustomTag_EnvironmentSchema,
  CustomTag_HeaderSchema,
  CustomTag_LiteralSchema,
  CustomTagSchema,
  type CustomTag as TagMessage,
} from '../../../api/gen/envoy/type/tracing/v3/custom_tag_pb.js'
import { PercentSchema } from '../../../api/gen/envoy/type/v3/percent_pb.js'
import type { CustomTag } from '../../../crds/kinds/telemetry.ts'
import type { OpenTelemetryProvider, ZipkinProvider } from '../../../crds/mesh-config.ts'
import type { ModeTelemetry, TracingTarget } from '../../mesh/telemetry.ts'
import { any, durationOf } from '../messages.ts'
import { providerAuthority, providerCluster } from '../provider.ts'

/** Istio's. */
const ZIPKIN_PATH = '/api/v2/spans'
const DEFAULT_TAG_LENGTH = 256

/** The fields of a connection manager by which calls are traced; none where nobody asked for traces. */
export function tracingFields({
  tracing: target,
}: ModeTelemetry): Partial<Pick<HttpConnectionManager, 'tracing' | 'requestIdExtension'>> {
  if (target === undefined) return {}
  const tracing = create(HttpConnectionManager_TracingSchema, {
    clientSampling: percent(100),
    randomSampling: percent(target.samplingPercent),
    overallSampling: percent(100),
    maxPathTagLength: maxTagLength(target),
    customTags: customTags(target),
    ...providerField(target),
  })
  // Envoy's own way of drawing is by x-request-id.
  return target.usesRequestId ? { tracing } : { tracing, requestIdExtension: drawsByItself() }
}

const percent = (value: number) => create(PercentSchema, { value })

function maxTagLength({ provider, maxPathTagLength }: TracingTarget): number {
  const own = provider?.zipkin?.maxTagLength ?? provider?.opentelemetry?.maxTagLength
  return own || maxPathTagLength || DEFAULT_TAG_LENGTH
}

function drawsByItself() {
  return create(RequestIDExtensionSchema, {
    typedConfig: any(
      UuidRequestIdConfigSchema,
      create(UuidRequestIdConfigSchema, { useRequestIdForTraceSampling: false }),
    ),
  })
}

/** Without a provider contexts pass as the application passes them, and no span is told. */
function providerField({ provider }: TracingTarget) {
  const http = (name: string, typedConfig: Any) =>
    create(Tracing_HttpSchema, { name, configType: { case: 'typedConfig', value: typedConfig } })
  if (provider?.zipkin !== undefined) return { provider: http('envoy.tracers.zipkin', zipkin(provider.zipkin)) }
  if (provider?.opentelemetry !== undefined) {
    return { provider: http('envoy.tracers.opentelemetry', openTelemetry(provider.opentelemetry)) }
  }
  return {}
}

/** Identifiers of 128 bits, and a span of its own for each side of a call: Istio's choices. */
function zipkin(provider: ZipkinProvider): Any {
  return any(
    ZipkinConfigSchema,
    create(ZipkinConfigSchema, {
      collectorCluster: providerCluster(provider),
      collectorHostname: providerAuthority(provider),
      collectorEndpoint: provider.path ?? ZIPKIN_PATH,
      collectorEndpointVersion: ZipkinConfig_CollectorEndpointVersion.HTTP_JSON,
      traceId128bit: provider.enable64bitTraceId !== true,
      sharedSpanContext: false,
      traceContextOption:
        provider.traceContextOption === 'USE_B3_WITH_W3C_PROPAGATION'
          ? ZipkinConfig_TraceContextOption.USE_B3_WITH_W3C_PROPAGATION
          : ZipkinConfig_TraceContextOption.USE_B3,
    }),
  )
}

/** A proxy's own name is the service's: listeners are alike for many workloads. */
function openTelemetry(provider: OpenTelemetryProvider): Any {
  const clusterName = providerCluster(provider)
  const authority = providerAuthority(provider)
  const { http } = provider
  const service =
    http === undefined
      ? {
          grpcService: create(GrpcServiceSchema, {
            targetSpecifier: {
              case: 'envoyGrpc',
              value: create(GrpcService_EnvoyGrpcSchema, { clusterName, authority }),
            },
          }),
        }
      : { httpService: httpService(provider, http, clusterName) }
  return any(OpenTelemetryConfigSchema, create(OpenTelemetryConfigSchema, service))
}

function httpService(
  provider: OpenTelemetryProvider,
  { path, timeout, headers = [] }: NonNullable<OpenTelemetryProvider['http']>,
  clusterName: string,
) {
  const { service, port } = provider
  const uri = `http://${service.slice(service.indexOf('/') + 1)}:${port}${path}`
  const httpUpstreamType = { case: 'cluster', value: clusterName } as const
  return create(HttpServiceSchema, {
    httpUri: create(HttpUriSchema, { uri, httpUpstreamType, timeout: durationOf(timeout ?? '10s') as never }),
    requestHeadersToAdd: headers.map(({ name, value = '' }) =>
      create(HeaderValueOptionSchema, { header: create(HeaderValueSchema, { key: name, value }) }),
    ),
  })
}

/** What Istio tells of the workload, by the variables of its proxy: listeners are alike for many workloads. */
const ISTIO_TAGS: Readonly<Record<string, CustomTag>> = {
  'istio.canonical_revision': { environment: { name: 'CANONICAL_REVISION' } },
  'istio.canonical_service': { environment: { name: 'CANONICAL_SERVICE' } },
  'istio.cluster_id': { environment: { name: 'ISTIO_META_CLUSTER_ID' } },
  'istio.mesh_id': { environment: { name: 'ISTIO_META_MESH_ID' } },
  'istio.namespace': { environment: { name: 'POD_NAMESPACE' } },
}

/** In the order of their names, as Istio has them. */
function customTags({ customTags: tags, hasIstioTags }: TracingTarget): TagMessage[] {
  return Object.entries({ ...(hasIstioTags && ISTIO_TAGS), ...tags })
    .flatMap(([tag, value]) => customTag(tag, value) ?? [])
    .sort((a, b) => (a.tag < b.tag ? -1 : 1))
}

/** What is written with the operators of access logs has no tag: neither Envoy's field for it nor ours is there yet. */
function customTag(tag: string, { literal: fixed, environment, header }: CustomTag): TagMessage | undefined {
  if (fixed !== undefined) return literal(tag, fixed.value)
  if (environment !== undefined) {
    const { name, defaultValue = '' } = environment
    const value = create(CustomTag_EnvironmentSchema, { name, defaultValue })
    return create(CustomTagSchema, { tag, type: { case: 'environment', value } })
  }
  if (header === undefined) return undefined
  const { name, defaultValue = '' } = header
  const value = create(CustomTag_HeaderSchema, { name, defaultValue })
  return create(CustomTagSchema, { tag, type: { case: 'requestHeader', value } })
}

function literal(tag: string, value: string): TagMessage {
  return create(CustomTagSchema, {
    tag,
    type: { case: 'literal', value: create(CustomTag_LiteralSchema, { value }) },
  })
}
