import { JOBS } from '../catalogue.ts'
import type { Alert } from './alert.ts'

const UP = `up{job="${JOBS.pilot}", instance="p"}`

export const PILOT_ALERTS: readonly Alert[] = [
  {
    name: 'LateenPilotDown',
    expr: `absent(up{job="${JOBS.pilot}"} == 1)`,
    for: '2m',
    severity: 'critical',
    summary: 'No pilot can be scraped',
    description:
      'Proxies keep the configuration and certificates that they have, and get no new ones. Start a pilot; if one runs, ask its /ready and look at the network between it and Prometheus.',
    test: {
      at: '10m',
      fires: { series: [[UP, '1 0x20']], labels: {}, summary: 'No pilot can be scraped' },
      quiet: [[UP, '1x20']],
    },
  },
  {
    name: 'LateenConfigRejected',
    expr: 'sum by (type) (increase(pilot_total_xds_rejects[5m])) > 0',
    for: '0m',
    severity: 'warning',
    summary: 'Proxies refuse {{ $labels.type }} that the pilot pushed',
    description:
      'A proxy that refuses keeps what it had, so parts of the mesh run old configuration. `lateen proxy-status` names the proxies and their reason; take the last change back if it is not at once clear.',
    test: {
      at: '10m',
      fires: {
        series: [['pilot_total_xds_rejects{type="lds"}', '0x5 1x20']],
        labels: { type: 'lds' },
        summary: 'Proxies refuse lds that the pilot pushed',
      },
      quiet: [['pilot_total_xds_rejects{type="lds"}', '3x20']],
    },
  },
  {
    name: 'LateenSlowConvergence',
    expr: 'histogram_quantile(0.99, sum by (le) (rate(pilot_proxy_convergence_time_bucket[5m]))) > 5',
    for: '5m',
    severity: 'warning',
    summary: 'Changes take {{ $value | humanizeDuration }} until proxies have them',
    description:
      'Endpoints that are gone are still called that long. Look at the processor of the pilot and at the size of its pushes on the dashboard of the control plane; bound what workloads need by Sidecar resources.',
    test: {
      at: '20m',
      fires: {
        series: [
          ['pilot_proxy_convergence_time_bucket{le="1"}', '0x30'],
          ['pilot_proxy_convergence_time_bucket{le="10"}', '0+60x30'],
          ['pilot_proxy_convergence_time_bucket{le="+Inf"}', '0+60x30'],
        ],
        labels: {},
        summary: 'Changes take 9.91s until proxies have them',
      },
      quiet: [
        ['pilot_proxy_convergence_time_bucket{le="1"}', '0+60x30'],
        ['pilot_proxy_convergence_time_bucket{le="10"}', '0+60x30'],
        ['pilot_proxy_convergence_time_bucket{le="+Inf"}', '0+60x30'],
      ],
    },
  },
  {
    name: 'LateenPushStorm',
    expr: '(sum(rate(pilot_xds_pushes{type="cds"}[5m])) > 4 * sum(rate(pilot_xds_pushes{type="cds"}[1d]))) > 1',
    for: '10m',
    severity: 'warning',
    summary: 'Clusters are pushed four times as often as over the day',
    description:
      'Something changes services again and again. Look at what writes to the configuration (`lateen analyze` for its state) and stop it; proxies are loaded by each push.',
    test: {
      at: '10h',
      fires: {
        series: [['pilot_xds_pushes{type="cds"}', '0+1x540 600+600x90']],
        labels: {},
        summary: 'Clusters are pushed four times as often as over the day',
      },
      quiet: [['pilot_xds_pushes{type="cds"}', '0+600x700']],
    },
  },
  {
    name: 'LateenConfigErrors',
    expr: 'max(pilot_findings{severity="error"}) > 0',
    for: '5m',
    severity: 'warning',
    summary: '{{ $value }} errors in the configuration',
    description:
      'Duplicate or conflicting resources, or ones that cannot be served, are left out. `lateen analyze` says each with its file and line.',
    test: {
      at: '10m',
      fires: {
        series: [['pilot_findings{severity="error"}', '2x20']],
        labels: {},
        summary: '2 errors in the configuration',
      },
      quiet: [
        ['pilot_findings{severity="error"}', '0x20'],
        ['pilot_findings{severity="warning"}', '2x20'],
      ],
    },
  },
  {
    name: 'LateenRootCertificateEnds',
    expr: 'min(citadel_server_root_cert_expiry_timestamp) - time() < 30 * 24 * 3600',
    for: '10m',
    severity: 'critical',
    summary: 'The root certificate ends in {{ $value | humanizeDuration }}',
    description:
      'When it has ended no proxy trusts another. Begin `lateen certs rotate` now: it distributes the new root, waits for proof, and only then signs by it.',
    test: {
      at: '20m',
      fires: {
        series: [['citadel_server_root_cert_expiry_timestamp', '2000000x30']],
        labels: {},
        summary: 'The root certificate ends in 23d 3h 13m 20s',
      },
      quiet: [['citadel_server_root_cert_expiry_timestamp', '3000000x30']],
    },
  },
  {
    name: 'LateenCertificateCallersRefused',
    expr: 'sum(increase(citadel_server_authentication_failure_count[10m])) > 5',
    for: '0m',
    severity: 'warning',
    summary: 'Callers for certificates cannot prove who they are',
    description:
      'Proxies with tokens that have ended or are of another mesh, or somebody who tries. The log of the pilot has the address and the reason of each; proxies keep their certificates until these end.',
    test: {
      at: '20m',
      fires: {
        series: [['citadel_server_authentication_failure_count', '0+2x30']],
        labels: {},
        summary: 'Callers for certificates cannot prove who they are',
      },
      quiet: [['citadel_server_authentication_failure_count', '0 1 1 2 2x30']],
    },
  },
  {
    name: 'LateenCertificatesNotIssued',
    expr: 'sum(increase(citadel_server_csr_count[10m])) - sum(increase(citadel_server_success_cert_issuance_count[10m])) > 1',
    for: '5m',
    severity: 'critical',
    summary: 'Certificates are asked for and not issued',
    description:
      'Workloads lose mutual TLS when their certificates end. Look in the log of the pilot for why requests are refused, and with `lateen certs status` whether the authority can sign.',
    test: {
      at: '30m',
      fires: {
        series: [
          ['citadel_server_csr_count', '0+2x40'],
          ['citadel_server_success_cert_issuance_count', '5x40'],
        ],
        labels: {},
        summary: 'Certificates are asked for and not issued',
      },
      quiet: [
        ['citadel_server_csr_count', '0+2x40'],
        ['citadel_server_success_cert_issuance_count', '0+2x40'],
      ],
    },
  },
  {
    name: 'LateenKeySetsFail',
    expr: 'max(pilot_jwks_failing) > 0',
    for: '15m',
    severity: 'warning',
    summary: '{{ $value }} key sets of issuers of tokens cannot be fetched',
    description:
      'Tokens that are signed by newer keys are refused. Ask the address of `jwksUri` from where the pilot runs.',
    test: {
      at: '20m',
      fires: {
        series: [['pilot_jwks_failing', '1x30']],
        labels: {},
        summary: '1 key sets of issuers of tokens cannot be fetched',
      },
      quiet: [['pilot_jwks_failing', '0x30']],
    },
  },
]
