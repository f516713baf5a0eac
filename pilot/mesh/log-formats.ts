import type { FileAccessLog } from '../../crds/mesh-config.ts'
import type { MeshOptions } from './options.ts'

/** What an access log writes: a text of Envoy's operators, or such texts by their labels in JSON. */
export type LogFormat = NonNullable<FileAccessLog['logFormat']>

/** What Istio writes of a call, by the labels that it has in JSON (istio.io/latest/docs/tasks/observability/logs/access-log). */
const ISTIO_LABELS = {
  start_time: '%START_TIME%',
  route_name: '%ROUTE_NAME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
} as const

const ISTIO_TEXT = [
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"',
  '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%',
  '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION%',
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%"',
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER%',
  '%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS%',
  '%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n',
].join(' ')

/** Istio's, where nobody says another. */
export const ISTIO_TEXT_FORMAT: LogFormat = { text: ISTIO_TEXT }
const ISTIO_JSON_FORMAT: LogFormat = { labels: ISTIO_LABELS }

/** By accessLogEncoding and accessLogFormat. A format for JSON that is none is not used, as in Istio. */
export function meshLogFormat({ accessLogEncoding, accessLogFormat }: MeshOptions): LogFormat {
  if (accessLogEncoding === 'TEXT') return accessLogFormat === '' ? ISTIO_TEXT_FORMAT : { text: accessLogFormat }
  return { labels: parsedLabels(accessLogFormat) ?? ISTIO_JSON_FORMAT.labels }
}

function parsedLabels(text: string): LogFormat['labels'] | undefined {
  if (text === '') return undefined
  try {
    const parsed: unknown = JSON.parse(text)
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    return isObject ? (parsed as LogFormat['labels']) : undefined
  } catch {
    return undefined
  }
}
