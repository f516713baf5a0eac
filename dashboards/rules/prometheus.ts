import { stringify } from 'yaml'
import type { Alert, TestSeries } from './alert.ts'
import { PILOT_ALERTS } from './pilot-alerts.ts'
import { PROXY_ALERTS } from './proxy-alerts.ts'
import { RECORDING_RULES } from './recording.ts'
import { TRAFFIC_ALERTS } from './traffic-alerts.ts'

export const ALERTS: readonly Alert[] = [...TRAFFIC_ALERTS, ...PROXY_ALERTS, ...PILOT_ALERTS]

const NO_FOLDING = { lineWidth: 0, aliasDuplicateObjects: false }

export function recordingYaml(): string {
  const rules = RECORDING_RULES.map(({ record, expr }) => ({ record, expr }))
  return stringify({ groups: [{ name: 'lateen-recording', interval: '15s', rules }] }, NO_FOLDING)
}

export function alertsYaml(): string {
  const groups = [
    ['lateen-traffic', TRAFFIC_ALERTS],
    ['lateen-proxies', PROXY_ALERTS],
    ['lateen-pilot', PILOT_ALERTS],
  ] as const
  return stringify({ groups: groups.map(([name, alerts]) => ({ name, rules: alerts.map(ruleOf) })) }, NO_FOLDING)
}

function ruleOf(alert: Alert) {
  const { name, expr, severity, summary, description } = alert
  return { alert: name, expr, for: alert.for, labels: { severity }, annotations: { summary, description } }
}

/** For `promtool test rules`: that each alert fires when it is to, and not when it is not to. */
export function alertTestsYaml(): string {
  const tests = ALERTS.flatMap(({ name, severity, description, test: { at, fires, quiet } }) => {
    const { labels, summary } = fires
    const fired = { exp_labels: { severity, ...labels }, exp_annotations: { summary, description } }
    return [
      testOf(`${name} fires`, fires.series, name, at, [fired]),
      testOf(`${name} does not fire`, quiet, name, at, []),
    ]
  })
  const head = { rule_files: ['recording.yaml', 'alerts.yaml'], evaluation_interval: '1m' }
  return stringify({ ...head, group_eval_order: ['lateen-recording'], tests }, NO_FOLDING)
}

function testOf(name: string, given: readonly TestSeries[], alert: string, at: string, expected: readonly object[]) {
  return {
    name,
    interval: '1m',
    input_series: given.map(([series, values]) => ({ series, values })),
    alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: expected }],
  }
}
