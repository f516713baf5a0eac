import { type Static, Type } from '@sinclair/typebox'
import { parseDurationMs } from '../../../crds/duration.ts'
import { durationOrZero, int32, mapOf, message, oneOf } from '../../../crds/schema.ts'
import { errorText } from '../../../lib/errors.ts'
import type { Adapter, Handler, HandlerEnvironment, Instance } from '../adapter.ts'
import { valuesOf, valueText } from '../value-text.ts'

const Params = message({
  address: Type.Optional(Type.String({ description: 'host:port (localhost:8125)' })),
  prefix: Type.Optional(Type.String()),
  flushDuration: Type.Optional(durationOrZero()),
  flushBytes: Type.Optional(int32()),
  samplingRate: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  metrics: Type.Optional(
    mapOf(
      message({
        nameTemplate: Type.Optional(Type.String({ description: 'With {{.dimension}} for the value of a dimension.' })),
        type: Type.Optional(oneOf(['COUNTER', 'GAUGE', 'DISTRIBUTION'])),
      }),
      'By name.kind.namespace of the instance.',
    ),
  ),
})
type Params = Static<typeof Params>

/** What hot-shots offers, as far as it is used here. */
interface Client {
  increment(name: string, value: number, sampleRate: number): void
  gauge(name: string, value: number, sampleRate: number): void
  timing(name: string, value: number, sampleRate: number): void
  close(done: () => void): void
}

const MAX_WAITING = 10_000

/** Sends metrics to a StatsD server by UDP. */
export const statsd: Adapter<Params> = {
  name: 'statsd',
  templates: ['metric'],
  params: Params,

  validate({ address = '' }, error) {
    const port = address.slice(address.lastIndexOf(':') + 1)
    if (address !== '' && !(address.includes(':') && /^\d{1,5}$/.test(port))) error(['address'], 'must be host:port')
  },

  open: (params, environment) => new StatsdHandler(params, environment),
}

class StatsdHandler implements Handler {
  readonly #params: Params
  readonly #opening: Promise<Client | undefined>
  #client: Client | undefined
  #waiting: Instance[] = []

  constructor(params: Params, environment: HandlerEnvironment) {
    this.#params = params
    this.#opening = open(params, environment).then(
      (client) => {
        this.#client = client
        this.report(this.#waiting)
        this.#waiting = []
        return client
      },
      (thrown) => {
        environment.log.error('StatsD cannot be told', { handler: environment.key, error: errorText(thrown) })
        return undefined
      },
    )
  }

  report(instances: readonly Instance[]): void {
    const client = this.#client
    if (client === undefined) {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(...instances)
      return
    }
    const { metrics = {}, samplingRate = 1 } = this.#params
    for (const instance of instances) {
      const metric = Object.hasOwn(metrics, instance.key) ? metrics[instance.key] : undefined
      if (metric === undefined) continue
      const name = nameOf(instance, metric.nameTemplate)
      const value = Number(instance.values.value)
      if (metric.type === 'GAUGE') client.gauge(name, value, samplingRate)
      else if (metric.type === 'DISTRIBUTION') client.timing(name, value, samplingRate)
      else client.increment(name, value, samplingRate)
    }
  }

  async close(): Promise<void> {
    const client = await this.#opening
    await new Promise<void>((resolve) => (client === undefined ? resolve() : client.close(resolve)))
  }
}

/** What StatsD's own syntax needs may not stand in a name. */
function nameOf(instance: Instance, template: string | undefined): string {
  if (template === undefined || template === '') return instance.name
  const dimensions = valuesOf(instance, 'dimensions')
  return template.replace(/\{\{\s*\.(\w+)\s*\}\}/g, (_found, name: string) =>
    valueText(dimensions[name]).replace(/[:|@\s]/g, '_'),
  )
}

async function open(params: Params, environment: HandlerEnvironment): Promise<Client> {
  const { StatsD } = await import('hot-shots')
  const { address = 'localhost:8125', prefix = '', flushDuration = '300ms', flushBytes = 512 } = params
  const colon = address.lastIndexOf(':')
  return new StatsD({
    host: address.slice(0, colon),
    port: Number(address.slice(colon + 1)),
    prefix,
    bufferFlushInterval: parseDurationMs(flushDuration) ?? 300,
    maxBufferSize: flushBytes,
    errorHandler: (error) => {
      environment.metrics.counter('statsd_errors_total').inc()
      environment.log.debug('StatsD', { error: errorText(error) })
    },
  }) as unknown as Client
}
