import { type Column, formatTable } from '../../output/table.ts'
import { formatChart } from './chart.ts'
import type { CallsReport, ClientReport, ServiceReport, SimulationReport, VersionReport } from './report.ts'

/** The report for people: plain characters, the same for the same seed. */
export function formatReport(report: SimulationReport): string {
  const { scenario, seed, durationMs, sliceMs, clients, services } = report
  const end = secondsText(durationMs)
  const sections = [
    `${scenario}: ${end} simulated, in slices of ${secondsText(sliceMs)}; seed ${seed}\n`,
    formatTable(CLIENT_COLUMNS, clients),
    formatTable(SERVICE_COLUMNS, services),
    failuresText([...clients, ...services]),
    formatTable(
      VERSION_COLUMNS,
      services.flatMap(({ name, versions }) => versions.map((version) => ({ service: name, ...version }))),
    ),
    configText(report),
    ...services
      .filter(({ tries }) => tries > 0)
      .map(({ name, slices }) =>
        formatChart(
          `Load amplification of ${name}: tries for each call that clients meant`,
          slices.amplification,
          end,
          fixed2,
        ),
      ),
    ...clients.flatMap(({ name, slices }) => [
      formatChart(`Success rate of ${name}`, slices.successRate, end, (value) => `${Math.round(value * 1000) / 10}%`),
      formatChart(`99th percentile of ${name}, in ms`, slices.p99Ms, end, (value) =>
        String(Math.round(value * 10) / 10),
      ),
    ]),
    expectationsText(report),
  ]
  return sections.filter((section) => section !== '').join('\n')
}

const count = (value: number) => String(value)
const fixed2 = (value: number) => value.toFixed(2)
const orDash = (value: number | null) => (value === null ? '' : fixed2(value))

function callColumns<T extends CallsReport>(): Column<T>[] {
  const right = (header: string, value: (row: T) => string): Column<T> => ({ header, value, alignRight: true })
  return [
    right('success', ({ successRate }) => (successRate === null ? '' : `${(successRate * 100).toFixed(3)}%`)),
    right('p50 ms', ({ latencyMs }) => latencyMs.p50.toFixed(1)),
    right('p90', ({ latencyMs }) => latencyMs.p90.toFixed(1)),
    right('p99', ({ latencyMs }) => latencyMs.p99.toFixed(1)),
    right('p99.9', ({ latencyMs }) => latencyMs.p999.toFixed(1)),
  ]
}

const CLIENT_COLUMNS: Column<ClientReport>[] = [
  { header: 'client', value: ({ name }) => name },
  { header: 'calls', value: ({ service }) => service },
  { header: 'offered', value: ({ offered }) => count(offered), alignRight: true },
  { header: 'succeeded', value: ({ succeeded }) => count(succeeded), alignRight: true },
  { header: 'failed', value: ({ failed }) => count(failed), alignRight: true },
  { header: 'unanswered', value: ({ unanswered }) => count(unanswered), alignRight: true },
  ...callColumns<ClientReport>(),
]

const SERVICE_COLUMNS: Column<ServiceReport>[] = [
  { header: 'service', value: ({ name }) => name },
  { header: 'calls', value: ({ offered }) => count(offered), alignRight: true },
  { header: 'tries', value: ({ tries }) => count(tries), alignRight: true },
  { header: 'retries', value: ({ retries }) => count(retries), alignRight: true },
  { header: 'refused', value: ({ retriesRefused }) => count(retriesRefused), alignRight: true },
  { header: 'hedges', value: ({ hedges }) => count(hedges), alignRight: true },
  { header: 'ejections', value: ({ ejections }) => count(ejections), alignRight: true },
  { header: 'overflows', value: ({ overflows }) => count(overflows), alignRight: true },
  { header: 'amplification', value: ({ amplification }) => orDash(amplification), alignRight: true },
  { header: 'peak', value: ({ peakAmplification }) => orDash(peakAmplification), alignRight: true },
  ...callColumns<ServiceReport>(),
]

const VERSION_COLUMNS: Column<VersionReport & { service: string }>[] = [
  { header: 'endpoints of', value: ({ service, version }) => (version === '' ? service : `${service} ${version}`) },
  { header: 'number', value: ({ endpoints }) => count(endpoints), alignRight: true },
  { header: 'requests', value: ({ requests }) => count(requests), alignRight: true },
  { header: 'share', value: ({ share }) => `${(share * 100).toFixed(1)}%`, alignRight: true },
  { header: 'least', value: ({ leastRequests }) => count(leastRequests), alignRight: true },
  { header: 'most', value: ({ mostRequests }) => count(mostRequests), alignRight: true },
  { header: 'wasted', value: ({ wasted }) => count(wasted), alignRight: true },
  { header: 'queue full', value: ({ queueFull }) => count(queueFull), alignRight: true },
  { header: 'longest queue', value: ({ longestQueue }) => count(longestQueue), alignRight: true },
]

function failuresText(all: readonly (CallsReport & { name: string })[]): string {
  const rows = all.flatMap(({ name, failures }) =>
    Object.entries(failures).map(([reason, number]) => ({ name, reason, number })),
  )
  if (rows.length === 0) return ''
  return formatTable(
    [
      { header: 'failures of', value: ({ name }) => name },
      { header: 'reason', value: ({ reason }) => reason },
      { header: 'number', value: ({ number }) => count(number), alignRight: true },
    ],
    rows,
  )
}

/** Changes on the way, and what was refused. */
function configText({ configuration }: SimulationReport): string {
  const lines = configuration.flatMap(({ atMs, generation, refused }) => [
    ...(generation > 1 ? [`Configuration ${generation} in force at ${secondsText(atMs)}`] : []),
    ...refused.map((text) => `At ${secondsText(atMs)} the proxies refused ${text}`),
  ])
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function expectationsText({ expectations, scenario }: SimulationReport): string {
  if (expectations.length === 0) return ''
  const lines = expectations.map(({ met, expectation, measured, line }) => {
    const found = measured === null ? 'nothing to measure' : `measured ${measured}`
    return `${met ? 'met    ' : 'NOT MET'}  ${expectation}; ${found}${met ? '' : `  [${scenario}:${line}]`}`
  })
  return `${lines.join('\n')}\n`
}

function secondsText(ms: number): string {
  return `${Math.round(ms) / 1000}s`
}
