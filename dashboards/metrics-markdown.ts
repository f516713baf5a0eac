import { CATALOGUE, type CatalogueEntry, type Exposer, ISTIO_BOUNDS, JOBS, SCRAPE_LABELS } from './catalogue.ts'
import { ALERTS } from './rules/prometheus.ts'
import { RECORDING_RULES } from './rules/recording.ts'

const HEADINGS: readonly (readonly [Exposer, string])[] = [
  ['proxy', `Of proxies (\`/stats/prometheus\` of the administration port, job \`${JOBS.proxy}\`)`],
  ['pilot', `Of the pilot (\`/metrics\`, job \`${JOBS.pilot}\`)`],
  ['process', 'Of every program'],
]

/** docs/reference/metrics.md. */
export function metricsMarkdown(): string {
  return [
    '# Metrics',
    '',
    'What the dashboards, recording rules and alerts of [dashboards/](../../dashboards/README.md) are made of. This page is made from',
    '`dashboards/catalogue.ts` by `node scripts/generate-dashboards.mjs`; programs expose more than is listed here.',
    '',
    `The scrape adds ${SCRAPE_LABELS.map(code).join(', ')}. Histograms have \`_bucket\` (with \`le\`), \`_sum\` and \`_count\`. The upper bounds of`,
    `those with an \`istio_\` name are ${ISTIO_BOUNDS.join(', ')}.`,
    ...HEADINGS.flatMap(([from, heading]) =>
      section(
        heading,
        CATALOGUE.filter((entry) => entry.from === from),
      ),
    ),
    '',
    '## Recorded series',
    '',
    '| Name | Labels |',
    '| --- | --- |',
    ...RECORDING_RULES.map(({ record, labels }) => `| ${code(record)} | ${labels.map(code).join(', ')} |`),
    '',
    '## Alerts',
    '',
    '| Alert | Severity | After | Means |',
    '| --- | --- | --- | --- |',
    ...ALERTS.map(
      (alert) =>
        `| ${alert.name} | ${alert.severity} | ${alert.for} | ${alert.summary.replace(/\{\{ \$labels\.(\w+) \}\}|\{\{ \$value[^}]*\}\}/g, '*$1*').replaceAll('**', '*n*')} |`,
    ),
    '',
  ].join('\n')
}

function section(heading: string, entries: readonly CatalogueEntry[]): string[] {
  const rows = entries.map(
    ({ name, type, unit, labels, help }) =>
      `| ${code(name)} | ${type} | ${unit} | ${labels.map(code).join(', ')} | ${help} |`,
  )
  return [
    '',
    `## ${heading}`,
    '',
    '| Name | Type | Unit | Labels | Meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ]
}

function code(text: string): string {
  return `\`${text}\``
}
