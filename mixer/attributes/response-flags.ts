import {
  ResponseFlags_Unauthorized_Reason as Reason,
  type ResponseFlags,
} from '../../api/gen/envoy/data/accesslog/v3/accesslog_pb.js'

/** Field -> what access logs write for it (Envoy's %RESPONSE_FLAGS%). */
const FLAGS: readonly (readonly [keyof ResponseFlags, string])[] = [
  ['failedLocalHealthcheck', 'LH'],
  ['noHealthyUpstream', 'UH'],
  ['upstreamRequestTimeout', 'UT'],
  ['localReset', 'LR'],
  ['upstreamRemoteReset', 'UR'],
  ['upstreamConnectionFailure', 'UF'],
  ['upstreamConnectionTermination', 'UC'],
  ['upstreamOverflow', 'UO'],
  ['noRouteFound', 'NR'],
  ['delayInjected', 'DI'],
  ['faultInjected', 'FI'],
  ['rateLimited', 'RL'],
  ['rateLimitServiceError', 'RLSE'],
  ['downstreamConnectionTermination', 'DC'],
  ['upstreamRetryLimitExceeded', 'URX'],
  ['streamIdleTimeout', 'SI'],
  ['invalidEnvoyRequestHeaders', 'IH'],
  ['downstreamProtocolError', 'DPE'],
  ['upstreamMaxStreamDurationReached', 'UMSDR'],
  ['responseFromCacheFilter', 'RFCF'],
  ['noFilterConfigFound', 'NFCF'],
  ['durationTimeout', 'DT'],
  ['upstreamProtocolError', 'UPE'],
  ['noClusterFound', 'NC'],
  ['overloadManager', 'OM'],
  ['dnsResolutionFailure', 'DF'],
  ['downstreamRemoteReset', 'DR'],
]

/** `UF,URX`; `-` when there is none. */
export function flagText(flags: ResponseFlags | undefined): string {
  if (flags === undefined) return '-'
  const set = FLAGS.filter(([field]) => flags[field] === true).map(([, text]) => text)
  if (flags.unauthorizedDetails?.reason === Reason.EXTERNAL_SERVICE) set.push('UAEX')
  return set.length === 0 ? '-' : set.join(',')
}
