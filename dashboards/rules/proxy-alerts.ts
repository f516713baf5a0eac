import { JOBS } from '../catalogue.ts'
import type { Alert } from './alert.ts'

const ONE = { instance: 'a', pod: 'reviews-v1' }
const ONE_LABELS = 'instance="a", pod="reviews-v1"'

export const PROXY_ALERTS: readonly Alert[] = [
  {
    name: 'LateenProxyDown',
    expr: `max by (instance, pod) (up{job="${JOBS.proxy}"}) == 0`,
    for: '2m',
    severity: 'warning',
    summary: 'The proxy of {{ $labels.pod }} cannot be scraped',
    description:
      'If it has ended, its workload is cut off from the mesh: look at why, and start it. If it runs, its administration port is not reached from Prometheus.',
    test: {
      at: '10m',
      fires: {
        series: [[`up{job="${JOBS.proxy}", ${ONE_LABELS}}`, '0x20']],
        labels: ONE,
        summary: 'The proxy of reviews-v1 cannot be scraped',
      },
      quiet: [[`up{job="${JOBS.proxy}", ${ONE_LABELS}}`, '1x20']],
    },
  },
  {
    name: 'LateenProxyDisconnected',
    expr: 'max by (instance, pod) (envoy_control_plane_connected_state) == 0',
    for: '5m',
    severity: 'warning',
    summary: 'The proxy of {{ $labels.pod }} has no pilot',
    description:
      'It goes on with the configuration it has, which grows old: endpoints that are new are not called. Look in its log for why it cannot connect (address, certificate, token).',
    test: {
      at: '10m',
      fires: {
        series: [[`envoy_control_plane_connected_state{${ONE_LABELS}}`, '0x20']],
        labels: ONE,
        summary: 'The proxy of reviews-v1 has no pilot',
      },
      quiet: [[`envoy_control_plane_connected_state{${ONE_LABELS}}`, '1x20']],
    },
  },
  {
    name: 'LateenProxiesLost',
    expr: 'sum(pilot_xds) < 0.8 * max_over_time(sum(pilot_xds)[1h:1m])',
    for: '5m',
    severity: 'critical',
    summary: 'A fifth of the proxies has left the pilots within the hour',
    description:
      'Unless workloads were taken down on purpose, the pilots or the network to them fail. Compare with the number of running proxies, and look at the pilots first.',
    test: {
      at: '45m',
      fires: {
        series: [['pilot_xds', '100x30 50x30']],
        labels: {},
        summary: 'A fifth of the proxies has left the pilots within the hour',
      },
      quiet: [['pilot_xds', '100x30 90x30']],
    },
  },
  {
    name: 'LateenWorkloadCertificateEnds',
    expr: 'min by (instance, pod) (envoy_workload_identity_expires_at_seconds > 0) - time() < 3600',
    for: '5m',
    severity: 'critical',
    summary: 'The certificate of {{ $labels.pod }} ends in {{ $value | humanizeDuration }}',
    description:
      'It should have been renewed long before. When it ends the workload neither calls nor is called by mutual TLS. Look at the log of its proxy for why renewal fails, and at `lateen certs status`.',
    test: {
      at: '10m',
      fires: {
        series: [[`envoy_workload_identity_expires_at_seconds{${ONE_LABELS}}`, '3000x20']],
        labels: ONE,
        summary: 'The certificate of reviews-v1 ends in 40m 0s',
      },
      quiet: [[`envoy_workload_identity_expires_at_seconds{${ONE_LABELS}}`, '80000x20']],
    },
  },
  {
    name: 'LateenCertificateRenewalFails',
    expr: 'sum by (instance, pod) (increase(envoy_workload_identity_renewal_failures[15m])) > 0',
    for: '10m',
    severity: 'warning',
    summary: 'The proxy of {{ $labels.pod }} cannot renew its certificate',
    description: 'It tries again until the certificate ends. Its log has the answer of the authority.',
    test: {
      at: '30m',
      fires: {
        series: [[`envoy_workload_identity_renewal_failures{${ONE_LABELS}}`, '0+1x40']],
        labels: ONE,
        summary: 'The proxy of reviews-v1 cannot renew its certificate',
      },
      quiet: [[`envoy_workload_identity_renewal_failures{${ONE_LABELS}}`, '4x40']],
    },
  },
  {
    name: 'LateenSeriesOverflow',
    expr: 'sum by (instance, pod) (increase(lateen_metrics_overflow_total[15m])) > 0',
    for: '0m',
    severity: 'warning',
    summary: 'The proxy of {{ $labels.pod }} has more series than it may keep',
    description:
      'New combinations of labels are counted with less in them, so panels by peer are not whole. Find the label with many values and take it away by a Telemetry resource.',
    test: {
      at: '20m',
      fires: {
        series: [[`lateen_metrics_overflow_total{${ONE_LABELS}}`, '0x10 7x20']],
        labels: ONE,
        summary: 'The proxy of reviews-v1 has more series than it may keep',
      },
      quiet: [[`lateen_metrics_overflow_total{${ONE_LABELS}}`, '7x40']],
    },
  },
  {
    name: 'LateenManySeries',
    expr: 'count by (instance, pod) (istio_requests_total) > 1000',
    for: '15m',
    severity: 'info',
    summary: 'The proxy of {{ $labels.pod }} exposes {{ $value }} series of istio_requests_total',
    description:
      'Prometheus pays for each. Find by `count by (response_code, source_workload) (istio_requests_total)` and the like which label has many values.',
    test: {
      at: '30m',
      fires: {
        series: Array.from({ length: 1001 }, (_, i) => [
          `istio_requests_total{${ONE_LABELS}, source_workload="w${i}"}`,
          '0x40',
        ]),
        labels: ONE,
        summary: 'The proxy of reviews-v1 exposes 1001 series of istio_requests_total',
      },
      quiet: [[`istio_requests_total{${ONE_LABELS}, source_workload="w"}`, '0x40']],
    },
  },
]
