import type { ZipkinExporter } from '@opentelemetry/exporter-zipkin'
import type { Resource } from '@opentelemetry/resources'
import { type Static, Type } from '@sinclair/typebox'
import type { FieldPath } from '../../../config/object.ts'
import { parseDurationMs } from '../../../crds/duration.ts'
import { durationOrZero, int32 } from '../../../crds/schema.ts'
import type { Handler, HandlerEnvironment, Instance } from '../adapter.ts'
import { BatchQueue } from '../batch-queue.ts'
import { isSampled, readableSpan } from './readable-span.ts'

/** OpenTelemetry's SDK gives spans to its exporters so. */
export type ReadableSpan = Parameters<ZipkinExporter['export']>[0][number]

/** An exporter of OpenTelemetry's. */
export interface SpanExporter {
  export(spans: ReadableSpan[], done: (result: { code: number; error?: Error }) => void): void
  shutdown(): Promise<void>
}

/** Parameters that all adapters have that export spans. */
export const EXPORT_PARAMS = {
  sampleProbability: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'Of the traces that proxies have told, so many of one go on (1).',
    }),
  ),
  flushDuration: Type.Optional(durationOrZero()),
  maxBatchSize: Type.Optional(int32()),
  maxQueueSize: Type.Optional(int32()),
}
const Params = Type.Object(EXPORT_PARAMS)
export type ExportParams = Static<typeof Params>

const EXPORTED = 0
const TIMEOUT_MS = 10_000
/** Names of services come from those who tell. */
const MAX_RESOURCES = 1_000

export function checkExportParams(
  { maxBatchSize = 1, maxQueueSize = 1 }: ExportParams,
  error: (path: FieldPath, message: string) => void,
): void {
  if (maxBatchSize < 1) error(['maxBatchSize'], 'must be at least 1')
  if (maxQueueSize < 1) error(['maxQueueSize'], 'must be at least 1')
}

export function checkUrl(url: string, path: FieldPath, error: (path: FieldPath, message: string) => void): void {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) error(path, 'must be a URL, http:// or https://')
}

/** Gives spans to an exporter, which is loaded when the first of them is there. */
export class SpanExportHandler implements Handler {
  readonly #open: () => Promise<SpanExporter>
  readonly #probability: number
  readonly #name: string
  readonly #environment: HandlerEnvironment
  readonly #queue: BatchQueue<Instance>
  readonly #resources = new Map<string, Resource>()
  #loaded: Promise<readonly [SpanExporter, typeof import('@opentelemetry/resources')]> | undefined

  constructor(name: string, open: () => Promise<SpanExporter>, params: ExportParams, environment: HandlerEnvironment) {
    const { sampleProbability = 1, flushDuration = '1s', maxBatchSize = 512, maxQueueSize = 10_000 } = params
    this.#open = open
    this.#probability = sampleProbability
    this.#name = name
    this.#environment = environment
    this.#queue = new BatchQueue(
      {
        name: `${name}_spans`,
        prepare: () => this.#load(),
        send: (batch) => this.#send(batch),
        maxWaiting: maxQueueSize,
        maxBatch: maxBatchSize,
        flushMs: parseDurationMs(flushDuration) ?? 1000,
        timeoutMs: TIMEOUT_MS,
      },
      environment,
    )
  }

  report(instances: readonly Instance[]): void {
    for (const instance of instances) {
      if (isSampled(String(instance.values.traceId ?? ''), this.#probability)) this.#queue.add(instance)
    }
  }

  async close(): Promise<void> {
    await this.#queue.close()
    const loaded = await this.#loaded?.catch(() => undefined)
    // Those who ask it to end need not wait for a peer that says nothing.
    loaded?.[0].shutdown().catch(() => {})
  }

  /** Many modules, which a busy machine takes its time for. */
  #load(): Promise<readonly [SpanExporter, typeof import('@opentelemetry/resources')]> {
    this.#loaded ??= Promise.all([this.#open(), import('@opentelemetry/resources')])
    return this.#loaded
  }

  async #send(batch: readonly Instance[]): Promise<void> {
    const [exporter, { resourceFromAttributes }] = await this.#load()
    const resourceOf = (service: string): Resource => {
      let resource = this.#resources.get(service)
      if (resource === undefined) {
        if (this.#resources.size >= MAX_RESOURCES) this.#resources.clear()
        resource = resourceFromAttributes({ 'service.name': service })
        this.#resources.set(service, resource)
      }
      return resource
    }
    const spans = batch.map((one) => readableSpan(one, resourceOf)).filter((one) => one !== undefined)
    this.#environment.metrics.counter(`${this.#name}_spans_invalid_total`).add(batch.length - spans.length)
    if (spans.length === 0) return
    await new Promise<void>((resolve, reject) => {
      exporter.export(spans, ({ code, error }) => {
        if (code === EXPORTED) resolve()
        else reject(error ?? new Error('not exported'))
      })
    })
  }
}
