import { graph } from '../model/build.ts'
import type { Panel, Query } from '../model/dashboard.ts'
import { type Matchers, quantileBy, rateBy, successBy } from '../model/promql.ts'

/** Panels about the calls that `matchers` choose, a line for each set of the labels `by`. */
export interface Calls {
  /** Goes before each title: whose calls they are. */
  readonly of: string
  readonly by: readonly string[]
  readonly matchers: Matchers
}

const QUANTILES = [0.5, 0.9, 0.99] as const

/** Requests per second, those that succeed, how long they take, and TCP: what one looks at first. */
export function outlook({ of, by, matchers }: Calls): Panel[] {
  const legend = legendOf(by)
  return [
    graph(
      {
        title: `${of}: requests`,
        shows: 'Requests per second.',
        act: 'Where it falls at once, look for callers that cannot connect; where it doubles, look for retries.',
      },
      'reqps',
      [{ expression: rateBy(by, 'istio_requests_total', matchers), legend }],
      { width: 6 },
    ),
    graph(
      {
        title: `${of}: success`,
        shows: 'The part of requests that ended without an error of the server, gRPC errors in a 200 among the errors.',
        act: 'Below the objective, look at the panel of codes for what failed and ask `lateen explain` where a call goes.',
      },
      'percentunit',
      [{ expression: successBy(by, matchers), legend }],
      { width: 6 },
    ),
    duration({ of, by, matchers }, 6),
    tcpBytes({ of, by, matchers }, 6),
  ]
}

/** The seven panels of calls by who is at their other end; mutual TLS and plain text on lines of their own. */
export function breakdown({ of, by, matchers }: Calls): Panel[] {
  const split = [...by, 'connection_security_policy']
  const byCode = [...split, 'response_code', 'grpc_response_status']
  return [
    graph(
      {
        title: `${of}: requests by code`,
        shows: 'Requests per second by code of HTTP and status of gRPC; `none` is plain text.',
        act: 'For 503 look at the flags in the access log; for lines in plain text, find the caller without a sidecar.',
      },
      'reqps',
      [{ expression: rateBy(byCode, 'istio_requests_total', matchers), legend: legendOf(byCode) }],
    ),
    graph(
      {
        title: `${of}: success`,
        shows: 'The part of requests that succeeded, for each peer.',
        act: 'One peer that is low is a fault of that peer or of the way to it; all low is a fault here.',
      },
      'percentunit',
      [{ expression: successBy(split, matchers), legend: legendOf(split) }],
    ),
    duration({ of, by: split, matchers }),
    size({ of, by: split, matchers }, 'request'),
    size({ of, by: split, matchers }, 'response'),
    tcp({ of, by: split, matchers }, 'received'),
    tcp({ of, by: split, matchers }, 'sent'),
  ]
}

export function duration({ of, by, matchers }: Calls, width?: number): Panel {
  return graph(
    {
      title: `${of}: duration`,
      shows: 'How long requests take: the median, and what one in ten and one in a hundred takes longer than.',
      act: 'When only the highest grows, look for one slow endpoint (outlier detection) or for waits in connection pools.',
    },
    'ms',
    quantiles('istio_request_duration_milliseconds', { of, by, matchers }),
    { width },
  )
}

function size({ of, by, matchers }: Calls, what: 'request' | 'response'): Panel {
  return graph(
    {
      title: `${of}: ${what} size`,
      shows: `Sizes of ${what} bodies.`,
      act: 'A jump explains slowness and memory; look at what was released then, and at limits on bodies.',
    },
    'bytes',
    quantiles(`istio_${what}_bytes`, { of, by, matchers }),
  )
}

function tcp({ of, by, matchers }: Calls, what: 'received' | 'sent'): Panel {
  return graph(
    {
      title: `${of}: TCP bytes ${what}`,
      shows: `Bytes per second that connections of plain TCP ${what}.`,
      act: 'Where it stops while connections stay open, the peer has stopped reading: look at its own health.',
    },
    'Bps',
    [{ expression: rateBy(by, `istio_tcp_${what}_bytes_total`, matchers), legend: legendOf(by) }],
  )
}

function tcpBytes({ of, by, matchers }: Calls, width: number): Panel {
  return graph(
    {
      title: `${of}: TCP bytes`,
      shows: 'Bytes per second of plain TCP, both ways.',
      act: 'Compare with the panel of connections of the peer; a side that falls to nothing has stopped answering.',
    },
    'Bps',
    (['received', 'sent'] as const).map((what) => ({
      expression: rateBy(by, `istio_tcp_${what}_bytes_total`, matchers),
      legend: `${legendOf(by)} ${what}`.trim(),
    })),
    { width },
  )
}

function quantiles(histogram: string, { by, matchers }: Calls): Query[] {
  return QUANTILES.map((q) => ({
    expression: quantileBy(q, by, histogram, matchers),
    legend: `${legendOf(by)} p${q * 100}`.trim(),
  }))
}

export function legendOf(by: readonly string[]): string {
  return by.length === 0 ? 'all' : by.map((label) => `{{${label}}}`).join(' ')
}
