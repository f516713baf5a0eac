import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import { type Any, anyPack, type Duration, DurationSchema } from '@bufbuild/protobuf/wkt'
import { type Metadata, MetadataSchema } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  AggregatedConfigSourceSchema,
  ApiConfigSource_ApiType,
  ApiConfigSourceSchema,
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from '../../api/gen/envoy/config/core/v3/config_source_pb.js'
import { GrpcService_EnvoyGrpcSchema, GrpcServiceSchema } from '../../api/gen/envoy/config/core/v3/grpc_service_pb.js'
import { ORIGIN_METADATA_KEY, type Origin, originStruct } from '../../api/origin.ts'
import { parseDurationMs } from '../../crds/duration.ts'

/** Small messages that every kind of resource needs. */

export function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000)
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) })
}

/** A duration as the YAML writes it; undefined when absent. What is no duration was refused where it was read. */
export function durationOf(text: string | undefined): Duration | undefined {
  const ms = text === undefined ? undefined : parseDurationMs(text)
  return ms === undefined ? undefined : duration(ms)
}

export function any<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Any {
  return anyPack(schema, message)
}

/** Metadata that names the YAML behind a resource, with whatever else is to be known of it. */
export function metadata(origin: Origin, istio?: Metadata['filterMetadata'][string]): Metadata {
  return create(MetadataSchema, {
    filterMetadata: {
      [ORIGIN_METADATA_KEY]: { ...originStruct(origin) },
      ...(istio !== undefined && { istio }),
    },
  })
}

/** Resources come over the one aggregated stream, and are waited for without end (Istio's choice too). */
export function adsSource(): ConfigSource {
  return create(ConfigSourceSchema, {
    configSourceSpecifier: { case: 'ads', value: create(AggregatedConfigSourceSchema) },
    initialFetchTimeout: duration(0),
    resourceApiVersion: ApiVersion.V3,
  })
}

/** Istio's name for the static cluster behind which a workload's agent serves secrets. */
const AGENT_CLUSTER = 'sds-grpc'

/** What only the workload's agent has, and no pilot. Our own proxies have theirs within them, and ask nobody. */
export function agentSource(): ConfigSource {
  const envoyGrpc = create(GrpcService_EnvoyGrpcSchema, { clusterName: AGENT_CLUSTER })
  return create(ConfigSourceSchema, {
    configSourceSpecifier: {
      case: 'apiConfigSource',
      value: create(ApiConfigSourceSchema, {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [create(GrpcServiceSchema, { targetSpecifier: { case: 'envoyGrpc', value: envoyGrpc } })],
      }),
    },
    initialFetchTimeout: duration(0),
    resourceApiVersion: ApiVersion.V3,
  })
}
