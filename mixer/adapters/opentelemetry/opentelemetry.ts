import { type Static, Type } from '@sinclair/typebox'
import { message, stringMap } from '../../../crds/schema.ts'
import type { Adapter } from '../adapter.ts'
import {
  checkExportParams,
  checkUrl,
  EXPORT_PARAMS,
  type SpanExporter,
  SpanExportHandler,
} from '../tracing/exporter.ts'

const DEFAULT_URL = 'http://localhost:4317'
/** Shorter than the queue waits, so that what is under way has ended when it goes on. */
const TIMEOUT_MS = 9_000

const Params = message({
  url: Type.Optional(
    Type.String({ description: `A collector's address for gRPC (${DEFAULT_URL}); https:// asks for TLS.` }),
  ),
  headers: Type.Optional(stringMap('Sent with each batch, such as a key.')),
  ...EXPORT_PARAMS,
})
type Params = Static<typeof Params>

/** Sends spans to an OpenTelemetry collector, or another mixer, by OTLP over gRPC. */
export const opentelemetry: Adapter<Params> = {
  name: 'opentelemetry',
  aliases: ['otlp'],
  templates: ['tracespan'],
  params: Params,

  validate(params, error) {
    checkUrl(params.url ?? DEFAULT_URL, ['url'], error)
    checkExportParams(params, error)
    for (const name of Object.keys(params.headers ?? {})) {
      if (!/^[0-9a-z_.-]+$/.test(name) || name.endsWith('-bin'))
        error(['headers', name], 'is no name of a header of text')
    }
  },

  open: (params, environment) => new SpanExportHandler('opentelemetry', () => exporter(params), params, environment),
}

async function exporter({ url = DEFAULT_URL, headers = {} }: Params): Promise<SpanExporter> {
  const [{ OTLPTraceExporter }, { Metadata }] = await Promise.all([
    import('@opentelemetry/exporter-trace-otlp-grpc'),
    import('@grpc/grpc-js'),
  ])
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  return new OTLPTraceExporter({ url, metadata, timeoutMillis: TIMEOUT_MS })
}
