import { type Static, Type } from '@sinclair/typebox'
import { int32, mapOf, message, oneOf, unsupported } from '../../../crds/schema.ts'
import type { Value } from '../../attributes/value.ts'
import type { Adapter, Handler, HandlerEnvironment, Instance } from '../adapter.ts'
import { valuesOf } from '../value-text.ts'
import { type LogStream, openStream } from './stream.ts'

const LEVELS = ['INFO', 'WARNING', 'ERROR'] as const
type Level = (typeof LEVELS)[number]
const NONE = 'NONE'
const LEVEL_TEXT: Readonly<Record<Level, string>> = { INFO: 'info', WARNING: 'warn', ERROR: 'error' }

const Params = message({
  logStream: Type.Optional(oneOf(['STDOUT', 'STDERR', 'FILE', 'ROTATED_FILE'])),
  severityLevels: Type.Optional(mapOf(oneOf(LEVELS), "By the text of the entry's severity.")),
  metricLevel: Type.Optional(oneOf(LEVELS)),
  outputAsJson: Type.Optional(Type.Boolean()),
  outputLevel: Type.Optional(oneOf([...LEVELS, NONE])),
  outputPath: Type.Optional(Type.String()),
  maxMegabytesBeforeRotation: Type.Optional(int32()),
  maxDaysBeforeRotation: unsupported(Type.Optional(int32()), 'files are rotated by their size'),
  maxRotatedFiles: Type.Optional(int32()),
})
export type StdioParams = Static<typeof Params>

/** Writes log entries and metrics, a line each. */
export const stdio: Adapter<StdioParams> = {
  name: 'stdio',
  templates: ['logentry', 'metric'],
  params: Params,

  validate({ logStream, outputPath = '' }, error) {
    const isFile = logStream === 'FILE' || logStream === 'ROTATED_FILE'
    if (isFile && outputPath === '') error(['outputPath'], `must be given for ${logStream}`)
  },

  open: (params, environment) => new Stdio(params, environment),
}

class Stdio implements Handler {
  readonly #params: StdioParams
  readonly #threshold: number
  readonly #environment: HandlerEnvironment
  readonly #stream: LogStream

  constructor(params: StdioParams, environment: HandlerEnvironment) {
    this.#params = params
    this.#environment = environment
    const { outputLevel = 'INFO' } = params
    this.#threshold = outputLevel === NONE ? LEVELS.length : LEVELS.indexOf(outputLevel)
    this.#stream = openStream(params, environment)
  }

  report(instances: readonly Instance[]): void {
    for (const instance of instances) {
      const isMetric = instance.template === 'metric'
      const level = isMetric ? (this.#params.metricLevel ?? 'INFO') : this.#levelOf(instance.values.severity)
      if (LEVELS.indexOf(level) < this.#threshold) continue
      const at = instance.values.timestamp as number | undefined
      const time = new Date(at ?? this.#environment.clock.wallMs()).toISOString()
      const fields: Record<string, Value> = isMetric
        ? { value: instance.values.value as Value, ...valuesOf(instance, 'dimensions') }
        : { ...valuesOf(instance, 'variables') }
      this.#stream.write(
        this.#params.outputAsJson === true
          ? JSON.stringify({ level: LEVEL_TEXT[level], time, instance: instance.key, ...fields })
          : `${time}\t${LEVEL_TEXT[level]}\t${instance.key}\t${JSON.stringify(fields)}`,
      )
    }
  }

  close(): Promise<void> {
    return this.#stream.close()
  }

  #levelOf(severity: unknown): Level {
    const text = String(severity)
    const named = this.#params.severityLevels?.[text]
    if (named !== undefined) return named
    const upper = text.toUpperCase()
    return upper === 'WARN' ? 'WARNING' : (LEVELS.find((level) => level === upper) ?? 'INFO')
  }
}
