import type { Alert, TestSeries } from './alert.ts'
import { RECORDED, recordedQuantile } from './recorded.ts'

const BY = 'destination_service, destination_service_namespace'
const SERVICE = 'destination_service="reviews.default.svc.cluster.local", destination_service_namespace="default"'
const LABELS = { destination_service: 'reviews.default.svc.cluster.local', destination_service_namespace: 'default' }
/** Requests per second below which a part of them says nothing. */
const ENOUGH = 0.1

/** Requests to one service as the caller's proxy counts them; a minute has `perMinute` more. */
function calls(perMinute: number, outcome: string, reporter = 'source'): TestSeries {
  return [`istio_requests_total{reporter="${reporter}", ${SERVICE}, ${outcome}}`, `0+${perMinute}x60`]
}

const OK = calls(600, 'response_code="200", response_flags="-", grpc_response_status=""')

function durations(fast: number, all: number): TestSeries[] {
  const bucket = (le: string, perMinute: number): TestSeries => [
    `istio_request_duration_milliseconds_bucket{reporter="source", ${SERVICE}, le="${le}"}`,
    `0+${perMinute}x60`,
  ]
  return [bucket('1000', fast), bucket('2500', all), bucket('+Inf', all)]
}

function busy(part: string): string {
  const requests = `sum by (${BY}) (${RECORDED.serviceRequests}{reporter="source"})`
  return `${part} and on (${BY}) ${requests} > ${ENOUGH}`
}

function serviceMax(name: string): string {
  return `max by (${BY}) (${name}{reporter="source"})`
}

export const TRAFFIC_ALERTS: readonly Alert[] = [
  {
    name: 'LateenErrorsHigh',
    expr: busy(`1 - min by (${BY}) (${RECORDED.serviceSuccess}{reporter="source"}) > 0.05`),
    for: '5m',
    severity: 'critical',
    summary: '{{ $value | humanizePercentage }} of requests to {{ $labels.destination_service }} fail',
    description:
      'Errors of the server in HTTP or gRPC, as callers see them. Open the service dashboard: one workload or version that is low is at fault; all low together with flags means the way to them. During a release, put the weight back to the old version first.',
    test: {
      at: '30m',
      fires: {
        series: [OK, calls(60, 'response_code="200", response_flags="-", grpc_response_status="14"')],
        labels: LABELS,
        summary: '9.091% of requests to reviews.default.svc.cluster.local fail',
      },
      quiet: [OK, calls(60, 'response_code="404", response_flags="-", grpc_response_status=""')],
    },
  },
  {
    name: 'LateenSlow',
    expr: `${recordedQuantile(0.99, BY, RECORDED.serviceDuration, '{reporter="source"}')} > 1000`,
    for: '10m',
    severity: 'warning',
    summary: 'One in a hundred requests to {{ $labels.destination_service }} takes longer than {{ $value }} ms',
    description:
      'Compare the durations of callers and of the service: when only callers are slow, requests wait in connection pools or are retried; when both are, it is the workload.',
    test: {
      at: '30m',
      fires: {
        series: durations(500, 600),
        labels: LABELS,
        summary: 'One in a hundred requests to reviews.default.svc.cluster.local takes longer than 2410 ms',
      },
      quiet: durations(600, 600),
    },
  },
  {
    name: 'LateenUnroutable',
    expr: busy(`${serviceMax(RECORDED.serviceUnroutable)} > 0.01`),
    for: '2m',
    severity: 'critical',
    summary: '{{ $value | humanizePercentage }} of requests to {{ $labels.destination_service }} have nowhere to go',
    description:
      'No healthy endpoint (UH), overflow (UO), no connection (UF), no route (NR) or no cluster (NC). `lateen explain` with such a call says which; `lateen proxy-config endpoints` shows the health of each endpoint.',
    test: {
      at: '30m',
      fires: {
        series: [OK, calls(60, 'response_code="503", response_flags="UF,URX", grpc_response_status=""')],
        labels: LABELS,
        summary: '9.091% of requests to reviews.default.svc.cluster.local have nowhere to go',
      },
      quiet: [OK, calls(60, 'response_code="503", response_flags="DI", grpc_response_status=""')],
    },
  },
  {
    name: 'LateenPlainText',
    expr: `sum by (${BY}) (${RECORDED.serviceRequests}{reporter="destination", connection_security_policy="none"}) > 0`,
    for: '15m',
    severity: 'info',
    summary: '{{ $labels.destination_service }} is called in plain text',
    description:
      'A caller has no sidecar, or its DestinationRule switches TLS off. In a mesh that is to be strict: find the caller on the service dashboard by its source, then set PeerAuthentication to STRICT.',
    test: {
      at: '40m',
      fires: {
        series: [calls(1, 'response_code="200", connection_security_policy="none"', 'destination')],
        labels: LABELS,
        summary: 'reviews.default.svc.cluster.local is called in plain text',
      },
      quiet: [calls(1, 'response_code="200", connection_security_policy="mutual_tls"', 'destination')],
    },
  },
]
