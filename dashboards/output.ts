import { DASHBOARDS } from './boards/all.ts'
import { metricsMarkdown } from './metrics-markdown.ts'
import { grafanaJson } from './model/grafana.ts'
import { alertsYaml, alertTestsYaml, recordingYaml } from './rules/prometheus.ts'

const MADE = '# Made by scripts/generate-dashboards.mjs from dashboards/rules/.\n'

/** Every file that is made here: its path in the repository, and its text. */
export function outputs(): (readonly [path: string, text: string])[] {
  return [
    ...DASHBOARDS.map((dashboard) => {
      const path = `dashboards/grafana/${dashboard.uid.replace('lateen-', '')}.json`
      return [path, `${JSON.stringify(grafanaJson(dashboard), null, 2)}\n`] as const
    }),
    ['dashboards/prometheus/recording.yaml', MADE + recordingYaml()],
    ['dashboards/prometheus/alerts.yaml', MADE + alertsYaml()],
    ['dashboards/prometheus/alerts-test.yaml', MADE + alertTestsYaml()],
    ['docs/reference/metrics.md', metricsMarkdown()],
  ]
}
