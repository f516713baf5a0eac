import { create, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { NodeSchema } from '../../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  type CommonGrpcAccessLogConfig,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '../../../../api/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js'
import { OpenTelemetryAccessLogConfigSchema } from '../../../../api/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.js'
import { StreamAccessLogsMessageSchema } from '../../../../api/gen/envoy/service/accesslog/v3/als_pb.js'
import type { CustomTag } from '../../../../api/gen/envoy/type/tracing/v3/custom_tag_pb.js'
import { namedVariable } from '../../../../lib/env.ts'
import { metadataAt } from '../../../decide/metadata.ts'
import { compileGrpcService } from '../../../filters/ext-authz/grpc-service.ts'
import type { NodeFacts } from '../../../node-facts.ts'
import { durationMs } from '../../../plan/compile/common.ts'
import { refuse } from '../../../plan/plan-error.ts'
import { bytesOf } from '../escape.ts'
import type { LogPlan } from '../log-plan.ts'
import type { ReadValue } from '../operator.ts'
import { requestField } from '../operators.ts'
import { type BatchPlan, BatchSink } from './batch-sink.ts'
import { type EntryOptions, type EntryTag, writeHttpEntry, writeTcpEntry } from './entry.ts'
import { compileOtlpLog } from './otlp.ts'

const METHOD = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs'
/** Fields of StreamAccessLogsMessage. */
const MESSAGE = { httpLogs: 2, tcpLogs: 3 } as const
const DEFAULT_FLUSH_MS = 1000
/**
 * Envoy's is 16 KiB. A batch is a message, sent for as much as many entries cost: of a stream, what leaves by one write to a server that has
 * room for it, since it fits with its last entry into three frames of HTTP/2, which are less than the window that a server gives as it
 * comes (RFC 9113 section 6.9.2).
 */
const DEFAULT_STREAM_BYTES = 44 * 1024
/** Where each batch is a call, which costs more than another write. */
const DEFAULT_CALL_BYTES = 64 * 1024
/** A call that takes longer has failed, where the configuration says nothing. */
const DEFAULT_TIMEOUT_MS = 10_000

/** A log to a gRPC service, else undefined. Throws a PlanError. */
export function compileGrpcLog(any: Any, path: string): LogPlan | undefined {
  const otlp = anyUnpack(any, OpenTelemetryAccessLogConfigSchema)
  if (otlp !== undefined) return compileOtlpLog(otlp, batchOf(otlp.commonConfig, DEFAULT_CALL_BYTES, path), path)
  const http = anyUnpack(any, HttpGrpcAccessLogConfigSchema)
  if (http !== undefined) {
    const options = {
      requestHeaders: lower(http.additionalRequestHeadersToLog),
      responseHeaders: lower(http.additionalResponseHeadersToLog),
      responseTrailers: lower(http.additionalResponseTrailersToLog),
    }
    return logTo(http.commonConfig, options, true, path)
  }
  const tcp = anyUnpack(any, TcpGrpcAccessLogConfigSchema)
  return tcp && logTo(tcp.commonConfig, { requestHeaders: [], responseHeaders: [], responseTrailers: [] }, false, path)
}

const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase())

/** Where and when batches go; what is in them is left open. */
export type BatchTarget = Pick<BatchPlan, 'service' | 'maxBytes' | 'flushMs'>

function batchOf(config: CommonGrpcAccessLogConfig | undefined, defaultBytes: number, path: string): BatchTarget {
  const at = `${path}.common_config`
  if (config === undefined) return refuse(at, 'is needed')
  const service = compileGrpcService(config.grpcService, `${at}.grpc_service`)
  const timeoutMs = config.grpcService?.timeout === undefined ? DEFAULT_TIMEOUT_MS : service.timeoutMs
  return {
    service: { ...service, timeoutMs },
    flushMs: durationMs(config.bufferFlushInterval, DEFAULT_FLUSH_MS),
    maxBytes: config.bufferSizeBytes ?? defaultBytes,
  }
}

function logTo(
  config: CommonGrpcAccessLogConfig | undefined,
  headers: Omit<EntryOptions, 'tags'>,
  isHttp: boolean,
  path: string,
): LogPlan {
  const target = batchOf(config, DEFAULT_STREAM_BYTES, path)
  const { logName = '', customTags = [] } = config ?? {}
  if (logName === '') refuse(`${path}.common_config.log_name`, 'is needed')
  const tags = customTags.map((tag, i) => compileTag(tag, `${path}.common_config.custom_tags[${i}]`))
  const options: EntryOptions = { ...headers, tags }
  return {
    responseFields: headers.responseHeaders,
    create(context) {
      const { node, stream } = context
      const key = `als ${isHttp ? 'http' : 'tcp'} ${logName} ${JSON.stringify(target)}`
      const batches = context.sink(key, () => {
        const within = [{ preface: identifier(node, logName), field: isHttp ? MESSAGE.httpLogs : MESSAGE.tcpLogs }]
        const counters = 'access_logs.grpc_access_log'
        const plan = {
          ...target,
          path: METHOD,
          isStream: true,
          within,
          written: `${counters}.logs_written`,
          dropped: `${counters}.logs_dropped`,
        }
        return new BatchSink(plan, stream)
      })
      const { out } = batches
      return (subject) => {
        // A log of calls has nothing to say of connections, nor the other way.
        if (subject.isCall !== isHttp) return
        if (subject.isCall) writeHttpEntry(out, subject, options)
        else writeTcpEntry(out, subject, options)
        batches.noteEntry()
      }
    },
  }
}

/** The field of StreamAccessLogsMessage that says who tells, and of what log. */
function identifier({ id, cluster, metadata, zone }: NodeFacts, logName: string): Uint8Array {
  const node = create(NodeSchema, { id, cluster, metadata, locality: { zone } })
  return toBinary(
    StreamAccessLogsMessageSchema,
    create(StreamAccessLogsMessageSchema, { identifier: { node, logName } }),
  )
}

/** envoy.type.tracing.v3.CustomTag. */
export function compileTag({ tag, type }: CustomTag, path: string): EntryTag {
  if (tag === '') refuse(`${path}.tag`, 'is needed')
  return { name: bytesOf(tag), read: tagReader(type, path) }
}

function tagReader(type: CustomTag['type'], path: string): ReadValue {
  switch (type.case) {
    case 'literal':
      return constant(type.value.value)
    case 'environment':
      return constant(namedVariable(type.value.name) ?? type.value.defaultValue)
    case 'requestHeader': {
      const name = type.value.name.toLowerCase()
      const fallback = bytesOf(type.value.defaultValue) || undefined
      return (subject) => (subject.isCall ? requestField(subject, name) : undefined) ?? fallback
    }
    case 'metadata': {
      const { kind, metadataKey, defaultValue } = type.value
      if (kind?.kind.case !== 'request' || metadataKey === undefined) {
        return refuse(`${path}.metadata`, 'only the metadata of requests is known')
      }
      const keys = metadataKey.path.map(({ segment }) => segment.value ?? '')
      const fallback = bytesOf(defaultValue) || undefined
      return (subject) => {
        const found = subject.isCall ? metadataAt(subject.decision, metadataKey.key, keys) : undefined
        return found === undefined || found === null ? fallback : bytesOf(textOf(found))
      }
    }
    default:
      return refuse(path, 'no tag that is known')
  }
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** '' is not told, as in Envoy. */
function constant(text: string): ReadValue {
  const bytes = bytesOf(text) || undefined
  return () => bytes
}
