/** What an encoder does with a field because of its name. */
export const POLICY = {
  /** Looked for in the dynamic table, and added to it. */
  index: 0,
  /** Written out each time: the value is another each time, and would only drive others out of the table. */
  literal: 1,
  /** Written out each time, and so by everyone who passes it on (RFC 7541 7.1.3). */
  never: 2,
  /** `never` when it is so short that it could be guessed bit by bit from the sizes of blocks, else `index`. */
  cookie: 3,
} as const

/** A cookie of less than this could be guessed (RFC 7541 7.1.3 speaks of short ones; nghttp2 has the same bound). */
export const SHORT_COOKIE_BYTES = 20

/**
 * Names with a policy other than `index`. Secrets, and what is different for almost every message; `date` is not among
 * those, since it changes once a second only. What else turns out to differ each time is not added either (see
 * `indexAtFirstSight` of the encoder), so this list saves looking and need not be complete.
 */
export const POLICIES: Readonly<Record<string, number>> = {
  authorization: POLICY.never,
  'proxy-authorization': POLICY.never,
  'set-cookie': POLICY.never,
  cookie: POLICY.cookie,
  ':path': POLICY.literal,
  'content-length': POLICY.literal,
  'content-range': POLICY.literal,
  range: POLICY.literal,
  etag: POLICY.literal,
  'if-none-match': POLICY.literal,
  'grpc-timeout': POLICY.literal,
  'x-request-id': POLICY.literal,
  'x-correlation-id': POLICY.literal,
  'x-envoy-upstream-service-time': POLICY.literal,
  'x-envoy-expected-rq-timeout-ms': POLICY.literal,
  'x-envoy-original-path': POLICY.literal,
  traceparent: POLICY.literal,
  tracestate: POLICY.literal,
  b3: POLICY.literal,
  'x-b3-traceid': POLICY.literal,
  'x-b3-spanid': POLICY.literal,
  'x-b3-parentspanid': POLICY.literal,
  'x-datadog-trace-id': POLICY.literal,
  'x-datadog-parent-id': POLICY.literal,
  'x-cloud-trace-context': POLICY.literal,
  'x-amzn-trace-id': POLICY.literal,
}
