import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import { type Any, anyPack, type Duration, DurationSchema } from '@bufbuild/protobuf/wkt'
import { type Metadata, MetadataSchema } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  AggregatedConfigSourceSchema,
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from '../../api/gen/envoy/config/core/v3/config_source_pb.js'
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
