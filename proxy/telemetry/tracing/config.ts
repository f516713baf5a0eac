import { type Any, anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { TypedExtensionConfig } from '../../../api/gen/envoy/config/core/v3/extension_pb.js'
import {
  type OpenTelemetryConfig,
  OpenTelemetryConfigSchema,
} from '../../../api/gen/envoy/config/trace/v3/opentelemetry_pb.js'
import {
  type ZipkinConfig,
  ZipkinConfig_CollectorEndpointVersion,
  ZipkinConfig_TraceContextOption,
  ZipkinConfigSchema,
} from '../../../api/gen/envoy/config/trace/v3/zipkin_pb.js'
import type {
  HttpConnectionManager,
  HttpConnectionManager_Tracing as Tracing,
} from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { UuidRequestIdConfigSchema } from '../../../api/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js'
import { StaticConfigResourceDetectorConfigSchema } from '../../../api/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector_pb.js'
import type { CustomTag } from '../../../api/gen/envoy/type/tracing/v3/custom_tag_pb.js'
import { namedVariable } from '../../../lib/env.ts'
import { compileGrpcService, headerField } from '../../filters/ext-authz/grpc-service.ts'
import { durationMs } from '../../plan/compile/common.ts'
import { refuse } from '../../plan/plan-error.ts'
import { fieldName, wireText } from '../../plan/wire-text.ts'
import type { CallObserverPlan } from '../observer.ts'
import type { CustomTagPlan, OpenTelemetryPlan, ProviderPlan, SamplingPlan, TracingPlan, ZipkinPlan } from './plan.ts'
import { TracerPlan } from './tracer.ts'

/** Envoy's default (HttpConnectionManager.Tracing.max_path_tag_length). */
const DEFAULT_PATH_TAG_LENGTH = 256
/** Envoy's for what its OTLP exporter sends. */
const DEFAULT_OTLP_TIMEOUT_MS = 5000

/** HttpConnectionManager.tracing; undefined where nobody is told of calls. Throws a PlanError that names the field. */
export function compileTracing(
  config: HttpConnectionManager,
  path: string,
  direction: TracingPlan['direction'],
): CallObserverPlan | undefined {
  const { tracing } = config
  const provider = tracing?.provider
  if (tracing === undefined || provider === undefined) return undefined
  const at = `${path}.tracing`
  return new TracerPlan({
    direction,
    spawnsUpstreamSpan: tracing.spawnUpstreamSpan ?? false,
    maxPathTagLength: tracing.maxPathTagLength ?? DEFAULT_PATH_TAG_LENGTH,
    isVerbose: tracing.verbose,
    customTags: tracing.customTags.map((tag, i) => compileCustomTag(tag, `${at}.custom_tags[${i}]`)),
    sampling: compileSampling(tracing, config),
    provider:
      provider.configType.case === 'typedConfig'
        ? compileProvider(provider.configType.value, `${at}.provider.typed_config`)
        : refuse(`${at}.provider.typed_config`, 'is needed'),
  })
}

function compileSampling(tracing: Tracing, { requestIdExtension }: HttpConnectionManager): SamplingPlan {
  const any = requestIdExtension?.typedConfig
  const uuid = any === undefined ? undefined : anyUnpack(any, UuidRequestIdConfigSchema)
  return {
    client: tracing.clientSampling?.value ?? 100,
    random: tracing.randomSampling?.value ?? 100,
    overall: tracing.overallSampling?.value ?? 100,
    usesRequestId: uuid?.useRequestIdForTraceSampling ?? true,
    packsReason: uuid?.packTraceReason ?? true,
  }
}

function compileCustomTag({ tag, type }: CustomTag, path: string): CustomTagPlan {
  if (tag === '') return refuse(`${path}.tag`, 'is needed')
  switch (type.case) {
    case 'literal':
      return { kind: 'literal', tag, value: bytesText(type.value.value) }
    case 'environment': {
      const { name, defaultValue } = type.value
      return { kind: 'literal', tag, value: bytesText(namedVariable(name) ?? defaultValue) }
    }
    case 'requestHeader': {
      const { name, defaultValue } = type.value
      const header = fieldName(name, `${path}.request_header.name`).toLowerCase()
      return { kind: 'header', tag, header, fallback: bytesText(defaultValue) }
    }
    case 'metadata':
      return compileMetadataTag(tag, type.value, path)
    default:
      return refuse(path, 'a kind of value is needed')
  }
}

function compileMetadataTag(
  tag: string,
  { kind, metadataKey, defaultValue }: Extract<CustomTag['type'], { case: 'metadata' }>['value'],
  path: string,
): CustomTagPlan {
  if (metadataKey === undefined) return refuse(`${path}.metadata.metadata_key`, 'is needed')
  // What plans keep of the metadata of routes, clusters and hosts is not for tags.
  if (kind !== undefined && kind.kind.case !== 'request' && kind.kind.case !== undefined) {
    return { kind: 'literal', tag, value: bytesText(defaultValue) }
  }
  const keys = metadataKey.path.map(({ segment }) => (segment.case === 'key' ? segment.value : ''))
  return { kind: 'metadata', tag, key: metadataKey.key, path: keys, fallback: bytesText(defaultValue) }
}

/** As the bytes of heads are: exporters read every tag so. */
function bytesText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function compileProvider(any: Any, path: string): ProviderPlan {
  if (anyIs(any, ZipkinConfigSchema)) return compileZipkin(anyUnpack(any, ZipkinConfigSchema) as ZipkinConfig, path)
  if (anyIs(any, OpenTelemetryConfigSchema)) {
    return compileOpenTelemetry(anyUnpack(any, OpenTelemetryConfigSchema) as OpenTelemetryConfig, path)
  }
  return refuse(path, `tracer ${any.typeUrl} is not supported`)
}

function compileZipkin(config: ZipkinConfig, path: string): ZipkinPlan {
  if (config.collectorCluster === '') return refuse(`${path}.collector_cluster`, 'is needed')
  if (!config.collectorEndpoint.startsWith('/')) return refuse(`${path}.collector_endpoint`, 'a path is needed')
  if (config.collectorEndpointVersion !== ZipkinConfig_CollectorEndpointVersion.HTTP_JSON) {
    return refuse(`${path}.collector_endpoint_version`, 'only HTTP_JSON is supported')
  }
  return {
    kind: 'zipkin',
    cluster: config.collectorCluster,
    path: wireText(config.collectorEndpoint, `${path}.collector_endpoint`),
    hostname: wireText(config.collectorHostname || config.collectorCluster, `${path}.collector_hostname`),
    is128Bit: config.traceId128bit,
    sharesSpans: config.sharedSpanContext ?? true,
    writesW3c: config.traceContextOption === ZipkinConfig_TraceContextOption.USE_B3_WITH_W3C_PROPAGATION,
  }
}

function compileOpenTelemetry(config: OpenTelemetryConfig, path: string): OpenTelemetryPlan {
  const resource = compileResource(config, path)
  const { grpcService, httpService } = config
  if (grpcService !== undefined) {
    const { cluster, authority, metadata } = compileGrpcService(grpcService, `${path}.grpc_service`)
    const timeoutMs = durationMs(grpcService.timeout, DEFAULT_OTLP_TIMEOUT_MS)
    return {
      kind: 'opentelemetry',
      transport: 'grpc',
      cluster,
      authority,
      path: '',
      timeoutMs,
      headers: metadata,
      resource,
    }
  }
  const uri = httpService?.httpUri
  if (httpService === undefined || uri === undefined || uri.httpUpstreamType.case !== 'cluster') {
    return refuse(path, 'grpc_service, or http_service with a cluster, is needed')
  }
  const parts = /^(?:https?:\/\/)?([^/]*)(\/.*)?$/.exec(uri.uri)
  const at = `${path}.http_service.request_headers_to_add`
  return {
    kind: 'opentelemetry',
    transport: 'http',
    cluster: uri.httpUpstreamType.value,
    authority: wireText(parts?.[1] || uri.httpUpstreamType.value, `${path}.http_service.http_uri.uri`),
    path: wireText(parts?.[2] ?? '/', `${path}.http_service.http_uri.uri`),
    timeoutMs: durationMs(uri.timeout, DEFAULT_OTLP_TIMEOUT_MS),
    headers: httpService.requestHeadersToAdd.map(({ header }, i) =>
      headerField(header?.key ?? '', header?.value ?? '', `${at}[${i}]`),
    ),
    resource,
  }
}

/** Later detectors go over earlier ones, and service_name over all (OpenTelemetry's "Resource SDK"). */
function compileResource({ serviceName, resourceDetectors }: OpenTelemetryConfig, path: string): [string, string][] {
  const attributes = new Map<string, string>()
  resourceDetectors.forEach((detector, i) => {
    for (const [name, value] of detected(detector, `${path}.resource_detectors[${i}]`)) attributes.set(name, value)
  })
  if (serviceName !== '') attributes.set('service.name', serviceName)
  return [...attributes]
}

const ENVIRONMENT_DETECTOR =
  'envoy.extensions.tracers.opentelemetry.resource_detectors.v3.EnvironmentResourceDetectorConfig'

function detected({ typedConfig }: TypedExtensionConfig, path: string): (readonly [string, string])[] {
  if (typedConfig !== undefined && anyIs(typedConfig, ENVIRONMENT_DETECTOR)) return environmentAttributes()
  const fixed = typedConfig && anyUnpack(typedConfig, StaticConfigResourceDetectorConfigSchema)
  return fixed === undefined
    ? refuse(path, `${typedConfig?.typeUrl ?? 'a detector without a type'} is not supported`)
    : Object.entries(fixed.attributes)
}

/** OTEL_RESOURCE_ATTRIBUTES, of OpenTelemetry's specification: `name=value` in a list, its values percent-encoded. */
function environmentAttributes(): (readonly [string, string])[] {
  const list = namedVariable('OTEL_RESOURCE_ATTRIBUTES') ?? ''
  return list.split(',').flatMap((one) => {
    const equals = one.indexOf('=')
    if (equals <= 0) return []
    const value = one.slice(equals + 1).trim()
    try {
      return [[one.slice(0, equals).trim(), decodeURIComponent(value)] as const]
    } catch {
      return []
    }
  })
}
