import type { JsonObject } from '@bufbuild/protobuf'
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { AccessLog } from '../../../api/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import type { SubstitutionFormatString } from '../../../api/gen/envoy/config/core/v3/substitution_format_string_pb.js'
import {
  type FileAccessLog,
  FileAccessLogSchema,
} from '../../../api/gen/envoy/extensions/access_loggers/file/v3/file_pb.js'
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '../../../api/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js'
import { refuse } from '../../plan/plan-error.ts'
import type { Subject } from '../cel/attributes.ts'
import type { CallObserverPlan, ConnectionObserverPlan, ObserverContext } from '../observer.ts'
import { compileLogFilter, type FilterContext, type LogFilter } from './filters.ts'
import { compileJsonFormat, compileTextFormat, DEFAULT_TEXT_FORMAT, type LineFormat } from './format.ts'
import { compileGrpcLog } from './grpc/compile.ts'
import { LineSink } from './line-sink.ts'
import type { LogPlan } from './log-plan.ts'

type CompileLogger = (config: Any, path: string) => LogPlan | undefined

const LOGGERS: readonly CompileLogger[] = [
  (any, path) => {
    const config = anyUnpack(any, FileAccessLogSchema)
    return config && linesTo(config.path || refuse(`${path}.path`, 'is needed'), fileFormat(config, path))
  },
  (any, path) => {
    const config = anyUnpack(any, StdoutAccessLogSchema)
    return config && linesTo('/dev/stdout', streamFormat(config.accessLogFormat.value, path))
  },
  (any, path) => {
    const config = anyUnpack(any, StderrAccessLogSchema)
    return config && linesTo('/dev/stderr', streamFormat(config.accessLogFormat.value, path))
  },
  compileGrpcLog,
]

function linesTo(path: string, format: LineFormat): LogPlan {
  return {
    responseFields: format.responseFields,
    create(context) {
      const { clock, metrics } = context.stream
      const lines = context.sink(`file ${path}`, () => new LineSink(path, clock, metrics))
      return (subject) => lines.write(format.write(subject))
    },
  }
}

const KEEPS_EMPTY = { omitsEmpty: false }

function fileFormat({ accessLogFormat: format }: FileAccessLog, path: string): LineFormat {
  switch (format.case) {
    case 'format':
      return compileTextFormat(format.value || DEFAULT_TEXT_FORMAT, `${path}.format`, KEEPS_EMPTY)
    case 'jsonFormat':
      return compileJsonFormat(format.value, `${path}.json_format`, KEEPS_EMPTY)
    case 'typedJsonFormat':
      return compileJsonFormat(format.value, `${path}.typed_json_format`, KEEPS_EMPTY)
    default:
      return streamFormat(format.value, path)
  }
}

function streamFormat(format: SubstitutionFormatString | undefined, at: string): LineFormat {
  const path = `${at}.log_format`
  if (format === undefined) return compileTextFormat(DEFAULT_TEXT_FORMAT, path, KEEPS_EMPTY)
  const options = { omitsEmpty: format.omitEmptyValues }
  const { format: kind } = format
  if (format.formatters.length > 0) refuse(`${path}.formatters`, 'not supported')
  switch (kind.case) {
    case 'textFormat':
      return compileTextFormat(kind.value || DEFAULT_TEXT_FORMAT, `${path}.text_format`, options)
    case 'jsonFormat':
      return compileJsonFormat(kind.value as JsonObject, `${path}.json_format`, options)
    case 'textFormatSource': {
      const { specifier } = kind.value
      if (specifier.case === 'inlineString')
        return compileTextFormat(specifier.value, `${path}.text_format_source`, options)
      return refuse(`${path}.text_format_source`, 'only inline_string is supported')
    }
    default:
      return refuse(path, 'a format is needed')
  }
}

interface FilteredLog {
  readonly log: LogPlan
  readonly filter: LogFilter | undefined
  readonly responseFields: readonly string[]
}

function compileLog({ name, filter, configType }: AccessLog, path: string): FilteredLog {
  const at = `${path}.typed_config`
  if (configType.case !== 'typedConfig') return refuse(at, 'is needed')
  const any = configType.value
  for (const compile of LOGGERS) {
    const log = compile(any, at)
    if (log === undefined) continue
    const responseFields = new Set(log.responseFields)
    const compiled = filter && compileLogFilter(filter, `${path}.filter`, responseFields)
    return { log, filter: compiled, responseFields: [...responseFields] }
  }
  return refuse(at, `access log ${JSON.stringify(name)} is of no kind that is supported: ${any.typeUrl}`)
}

function writerOf({ log, filter }: FilteredLog, context: ObserverContext): (subject: Subject) => void {
  const write = log.create(context)
  if (filter === undefined) return write
  const asked: FilterContext = { random: context.stream.random, node: context.node }
  return (subject) => {
    if (filter(subject, asked)) write(subject)
  }
}

/** Of a connection manager. Throws a PlanError. */
export function compileCallLogs(configs: readonly AccessLog[], path: string): CallObserverPlan[] {
  return configs.map((config, i) => {
    const log = compileLog(config, `${path}[${i}]`)
    const { responseFields } = log
    return { create: (context) => ({ responseFields, onEnd: writerOf(log, context) }) }
  })
}

/** Of a TCP proxy. Throws a PlanError. */
export function compileConnectionLogs(configs: readonly AccessLog[], path: string): ConnectionObserverPlan[] {
  return configs.map((config, i) => {
    const log = compileLog(config, `${path}[${i}]`)
    return { create: (context) => ({ onEnd: writerOf(log, context) }) }
  })
}
