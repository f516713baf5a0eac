import { create, toBinary } from '@bufbuild/protobuf'
import type { OpenTelemetryAccessLogConfig } from '../../../../api/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.js'
import type { AnyValue } from '../../../../api/gen/opentelemetry/proto/common/v1/common_pb.js'
import { ResourceLogsSchema } from '../../../../api/gen/opentelemetry/proto/logs/v1/logs_pb.js'
import type { NodeFacts } from '../../../node-facts.ts'
import { refuse } from '../../../plan/plan-error.ts'
import type { Subject } from '../../cel/attributes.ts'
import type { WireWriter } from '../../wire/wire-writer.ts'
import { bytesOf } from '../escape.ts'
import { compileValue } from '../format.ts'
import type { LogPlan } from '../log-plan.ts'
import type { OperatorContext } from '../operator.ts'
import { BatchSink } from './batch-sink.ts'
import type { BatchTarget } from './compile.ts'

const METHOD = '/opentelemetry.proto.collector.logs.v1.LogsService/Export'
const COUNTERS = 'access_logs.open_telemetry_access_log'
/** Fields of opentelemetry.proto.logs.v1, from ExportLogsServiceRequest down. */
const FIELD = {
  resourceLogs: 1,
  scopeLogs: 2,
  logRecord: 2,
  time: 1,
  body: 5,
  attributes: 6,
  traceId: 9,
  spanId: 10,
} as const
const ANY_VALUE = { text: 1, truth: 2, array: 5, map: 6 } as const

/** Writes an AnyValue as a field. */
type WriteAny = (out: WireWriter, field: number, subject: Subject) => void

/** envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig. Throws a PlanError. */
export function compileOtlpLog(config: OpenTelemetryAccessLogConfig, target: BatchTarget, path: string): LogPlan {
  if (config.formatters.length > 0) refuse(`${path}.formatters`, 'not supported')
  const context: OperatorContext = { path, responseFields: new Set() }
  const body = config.body && anyWriter(config.body, context)
  const attributes = (config.attributes?.values ?? []).map(({ key, value }) => keyValueWriter(key, value, context))
  const logName = config.commonConfig?.logName ?? ''
  return {
    responseFields: [...context.responseFields],
    create(around) {
      const { node, stream } = around
      const resource = resourceOf(config, node, logName)
      const key = `otlp logs ${resource.toString('base64')} ${JSON.stringify(target)}`
      const batches = around.sink(key, () => {
        const within = [
          { preface: Buffer.alloc(0), field: FIELD.resourceLogs },
          { preface: resource, field: FIELD.scopeLogs },
        ]
        const plan = {
          ...target,
          path: METHOD,
          isStream: false,
          within,
          written: `${COUNTERS}.logs_written`,
          dropped: `${COUNTERS}.logs_dropped`,
        }
        return new BatchSink(plan, stream)
      })
      const { out } = batches
      return (subject) => {
        const record = out.begin(FIELD.logRecord)
        out.nanoseconds(FIELD.time, subject.startWallMs)
        body?.(out, FIELD.body, subject)
        for (let i = 0; i < attributes.length; i++) attributes[i]?.(out, FIELD.attributes, subject)
        const trace = subject.isCall ? subject.trace : undefined
        if (trace !== undefined) {
          out.bytes(FIELD.traceId, Buffer.from(trace.traceId, 'hex'))
          out.bytes(FIELD.spanId, Buffer.from(trace.spanId, 'hex'))
        }
        out.end(record)
        batches.noteEntry()
      }
    },
  }
}

/** What all records share, as the fields of ResourceLogs that go before them. */
function resourceOf(
  { disableBuiltinLabels, resourceAttributes }: OpenTelemetryAccessLogConfig,
  node: NodeFacts,
  logName: string,
) {
  const own = { log_name: logName, zone_name: node.zone, cluster_name: node.cluster, node_name: node.id }
  const builtin = disableBuiltinLabels
    ? []
    : Object.entries(own).map(([key, text]) => ({
        key,
        value: { value: { case: 'stringValue' as const, value: text } },
      }))
  const attributes = [...builtin, ...(resourceAttributes?.values ?? [])]
  return Buffer.from(toBinary(ResourceLogsSchema, create(ResourceLogsSchema, { resource: { attributes } })))
}

function keyValueWriter(key: string, value: AnyValue | undefined, context: OperatorContext): WriteAny {
  const name = bytesOf(key)
  const write = value && anyWriter(value, context)
  return (out, field, subject) => {
    const pair = out.begin(field)
    out.text(1, name)
    write?.(out, 2, subject)
    out.end(pair)
  }
}

/** Texts are formats; what stands there of other types stays. */
function anyWriter({ value }: AnyValue, context: OperatorContext): WriteAny {
  const inner = innerWriter(value, context)
  return (out, field, subject) => {
    const any = out.begin(field)
    inner(out, subject)
    out.end(any)
  }
}

function innerWriter(value: AnyValue['value'], context: OperatorContext): (out: WireWriter, subject: Subject) => void {
  switch (value.case) {
    case 'stringValue': {
      const format = compileValue(value.value, context)
      return (out, subject) => out.text(ANY_VALUE.text, format(subject))
    }
    case 'boolValue': {
      const truth = value.value
      return (out) => out.flag(ANY_VALUE.truth, truth)
    }
    case 'kvlistValue': {
      const pairs = value.value.values.map((pair) => keyValueWriter(pair.key, pair.value, context))
      return listWriter(ANY_VALUE.map, pairs)
    }
    case 'arrayValue':
      return listWriter(
        ANY_VALUE.array,
        value.value.values.map((one) => anyWriter(one, context)),
      )
    default:
      return refuse(context.path, `a value of the type ${value.case ?? 'none'} is not supported`)
  }
}

function listWriter(field: number, items: readonly WriteAny[]): (out: WireWriter, subject: Subject) => void {
  return (out, subject) => {
    const list = out.begin(field)
    for (const write of items) write(out, 1, subject)
    out.end(list)
  }
}
