/** Numbers of fields in envoy.data.accesslog.v3 (accesslog.proto): of an HTTPAccessLogEntry; a TCPAccessLogEntry has the first. */
export const ENTRY = { common: 1, version: 2, request: 3, response: 4 } as const

/** Of AccessLogCommon. */
export const COMMON = {
  client: 2,
  startTime: 5,
  lastReceived: 6,
  firstUpstreamSent: 7,
  lastUpstreamSent: 8,
  firstUpstreamReceived: 9,
  lastUpstreamReceived: 10,
  firstSent: 11,
  lastSent: 12,
  tag: 22,
  duration: 23,
  attempts: 24,
  streamId: 26,
} as const

/** Of HTTPRequestProperties. */
export const REQUEST = {
  method: 1,
  scheme: 2,
  authority: 3,
  path: 5,
  userAgent: 6,
  referer: 7,
  forwardedFor: 8,
  requestId: 9,
  originalPath: 10,
  headersBytes: 11,
  bodyBytes: 12,
  header: 13,
} as const

/** Of HTTPResponseProperties. */
export const RESPONSE = { code: 1, bodyBytes: 3, header: 4, trailer: 5, detail: 6 } as const
