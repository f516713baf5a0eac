import { type Static, Type } from '@sinclair/typebox'
import { message } from '../../../crds/schema.ts'
import type { Adapter } from '../adapter.ts'
import {
  checkExportParams,
  checkUrl,
  EXPORT_PARAMS,
  type SpanExporter,
  SpanExportHandler,
} from '../tracing/exporter.ts'

const DEFAULT_URL = 'http://localhost:9411/api/v2/spans'

const Params = message({
  url: Type.Optional(Type.String({ description: `Where Zipkin takes spans (${DEFAULT_URL}).` })),
  ...EXPORT_PARAMS,
})
type Params = Static<typeof Params>

/** Sends spans to Zipkin, over its API of version 2. */
export const zipkin: Adapter<Params> = {
  name: 'zipkin',
  templates: ['tracespan'],
  params: Params,

  validate(params, error) {
    checkUrl(params.url ?? DEFAULT_URL, ['url'], error)
    checkExportParams(params, error)
  },

  open: (params, environment) => new SpanExportHandler('zipkin', () => exporter(params), params, environment),
}

async function exporter({ url = DEFAULT_URL }: Params): Promise<SpanExporter> {
  const { ZipkinExporter } = await import('@opentelemetry/exporter-zipkin')
  return new ZipkinExporter({ url })
}
