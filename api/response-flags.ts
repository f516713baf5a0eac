/** Envoy's response flags that Lateen sets, with their long names (envoy access log, %RESPONSE_FLAGS%). */
export const RESPONSE_FLAGS = {
  UH: 'NoHealthyUpstream',
  UF: 'UpstreamConnectionFailure',
  UO: 'UpstreamOverflow',
  NR: 'NoRouteFound',
  NC: 'NoClusterFound',
  URX: 'UpstreamRetryLimitExceeded',
  UT: 'UpstreamRequestTimeout',
  UC: 'UpstreamConnectionTermination',
  UPE: 'UpstreamProtocolError',
  DT: 'DurationTimeout',
  DC: 'DownstreamConnectionTermination',
  DPE: 'DownstreamProtocolError',
  DI: 'DelayInjected',
  FI: 'FaultInjected',
  RL: 'RateLimited',
  RLSE: 'RateLimitServiceError',
  SI: 'StreamIdleTimeout',
  UAEX: 'UnauthorizedExternalService',
  OM: 'OverloadManagerTerminated',
} as const

export type ResponseFlag = keyof typeof RESPONSE_FLAGS
