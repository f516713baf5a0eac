/** HttpConnectionManager.Tracing as it is compiled. Percentages are from 0 to 100. */
export interface TracingPlan {
  readonly direction: 'inbound' | 'outbound'
  /** There is a span of the request that came and one of the request that is sent. */
  readonly spawnsUpstreamSpan: boolean
  readonly maxPathTagLength: number
  /** Tells of moments within the call. */
  readonly isVerbose: boolean
  readonly customTags: readonly CustomTagPlan[]
  readonly sampling: SamplingPlan
  readonly provider: ProviderPlan
}

export interface SamplingPlan {
  readonly client: number
  readonly random: number
  readonly overall: number
  /** x-request-id tells whether its request is drawn, and what was drawn before. */
  readonly usesRequestId: boolean
  /** The reason is written into x-request-id. */
  readonly packsReason: boolean
}

export type CustomTagPlan =
  | { readonly kind: 'literal'; readonly tag: string; readonly value: string }
  | { readonly kind: 'header'; readonly tag: string; readonly header: string; readonly fallback: string }
  /** Of what filters have found out about the call. */
  | {
      readonly kind: 'metadata'
      readonly tag: string
      readonly key: string
      readonly path: readonly string[]
      readonly fallback: string
    }

export type ProviderPlan = ZipkinPlan | OpenTelemetryPlan

export interface ZipkinPlan {
  readonly kind: 'zipkin'
  readonly cluster: string
  readonly path: string
  readonly hostname: string
  readonly is128Bit: boolean
  /** A server's span is that of its client. */
  readonly sharesSpans: boolean
  /** Writes traceparent beside B3. */
  readonly writesW3c: boolean
}

export interface OpenTelemetryPlan {
  readonly kind: 'opentelemetry'
  readonly transport: 'grpc' | 'http'
  readonly cluster: string
  readonly authority: string
  readonly path: string
  readonly timeoutMs: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Of the resource, service.name among them. */
  readonly resource: readonly (readonly [name: string, value: string])[]
}
