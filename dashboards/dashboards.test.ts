import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { stringify } from 'yaml'
import { peerOrSkip } from '../test/peers/peers.ts'
import { DASHBOARDS } from './boards/all.ts'
import { sentBy } from './check/expressions.ts'
import { namesIn } from './check/names.ts'
import { gridProblems, problemsOf } from './check/problems.ts'
import { ALL, substitute } from './check/substitute.ts'
import { unknownNames } from './check/vocabulary.ts'
import { graph, query, row } from './model/build.ts'
import { outputs } from './output.ts'
import { ALERTS } from './rules/prometheus.ts'
import { RECORDING_RULES } from './rules/recording.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const promtool = peerOrSkip('promtool')
const withPromtool = promtool === undefined ? test.skip : test

test('what is committed is what the code makes', () => {
  const made = outputs()
  const stale = made.filter(([path, text]) => readFileSync(join(root, path), 'utf8') !== text).map(([path]) => path)
  // When there are some: node scripts/generate-dashboards.mjs
  expect(stale).toEqual([])
  const present = readdirSync(join(root, 'dashboards/grafana')).map((name) => `dashboards/grafana/${name}`)
  expect(present.sort()).toEqual(
    made
      .map(([path]) => path)
      .filter((path) => path.endsWith('.json'))
      .sort(),
  )
})

test.each(DASHBOARDS.map((dashboard) => [dashboard.uid, dashboard] as const))('%s has no problems', (_, dashboard) => {
  expect(problemsOf(dashboard)).toEqual([])
})

test('rules and alerts name only what is exposed or recorded', () => {
  const rules = [...RECORDING_RULES.map(({ record, expr }) => [record, expr]), ...ALERTS.map((a) => [a.name, a.expr])]
  expect(rules.flatMap(([name, expr]) => unknownNames(expr as string).map((problem) => `${name}: ${problem}`))).toEqual(
    [],
  )
})

test('recorded series have the labels that the catalogue of them says, and none of a pod', () => {
  for (const { expr, labels } of RECORDING_RULES) {
    expect([...new Set(namesIn(expr).grouped)].sort()).toEqual([...labels].sort())
    expect(labels.filter((label) => ['pod', 'instance'].includes(label))).toEqual([])
  }
})

test('problems are found', () => {
  expect(unknownNames('sum by (nobody) (rate(istio_requests_total{reporter="a", le="1"}[5m]))')).toEqual([
    'istio_requests_total has no label le',
    'none of its metrics has the label nobody',
  ])
  expect(unknownNames('histogram_quantile(0.9, sum by (le) (rate(istio_request_bytes[5m])))')).toEqual([
    'no such metric: istio_request_bytes',
    'none of its metrics has the label le',
  ])
  const text = { title: 'T', shows: 'Only this.', act: '' }
  const bad = graph(text, 'short', [
    query('sum(rate(istio_requests_total{reporter=~"$who"}[1m]))', 'a'),
    query('up', 'a'),
  ])
  const dashboard = { uid: 'u', title: 'D', description: '', variables: [], rows: [row('R', [bad, bad])] }
  expect(new Set(problemsOf(dashboard))).toEqual(
    new Set([
      'T: says what it shows, or what to do, but not both',
      'T: legends are empty or not distinct',
      'row R: two panels "T"',
      'T: no variable $who before it',
      'T: the window [1m] is fixed',
    ]),
  )
  const at = (id: number, x: number, y: number) => ({ id, type: 'p', title: `p${id}`, gridPos: { x, y, w: 8, h: 2 } })
  expect(gridProblems([at(1, 0, 0), at(1, 8, 0), at(2, 20, 0), at(3, 15, 1)])).toEqual([
    "p1: its id 1 is another's",
    'p2: outside of the columns',
    'p3: lies on p1 at 15,1',
    'p3: lies on p2 at 20,1',
    'p3: lies on p2 at 21,1',
    'p3: lies on p2 at 22,1',
  ])
})

test('values are put in the place of variables as Grafana does it', () => {
  const chosen = { a: 'x.y', b: ['p', 'q-1.z'], c: ALL, d: ['one'] }
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is Grafana that fills it in
  expect(substitute('m{a=~"$a",b=~"$b",c=~"${c}",d=~"$d"}[$__rate_interval]', chosen, '4s')).toBe(
    'm{a=~"x\\\\.y",b=~"(p|q-1\\\\.z)",c=~".*",d=~"one"}[4s]',
  )
  expect(() => substitute('$e', chosen, '4s')).toThrow('$e')
})

function inFolder(files: Record<string, string>, run: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'lateen-rules-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function tool(...args: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(promtool as string, args, { encoding: 'utf8' })
  return { status, text: stdout + stderr }
}

withPromtool('every expression is PromQL', () => {
  const chosen = { service: 'reviews.default.svc.cluster.local', old: 'v1', new: 'v2' }
  const sent = DASHBOARDS.flatMap((dashboard) => sentBy(dashboard, chosen, '1m'))
  expect(sent.length).toBeGreaterThan(100)
  const rules = sent.map(({ where, expression }, i) => ({ record: `q${i}`, expr: expression, labels: { where } }))
  inFolder({ 'rules.yaml': stringify({ groups: [{ name: 'all', rules }] }) }, (folder) => {
    expect(tool('check', 'rules', join(folder, 'rules.yaml'))).toMatchObject({
      status: 0,
      text: expect.stringContaining(`SUCCESS: ${sent.length} rules found`),
    })
  })
})

withPromtool('every alert fires when it is to, and not when it is not to', () => {
  const folder = join(root, 'dashboards/prometheus')
  for (const name of ['recording.yaml', 'alerts.yaml']) {
    expect(tool('check', 'rules', join(folder, name))).toMatchObject({ status: 0 })
  }
  expect(tool('test', 'rules', join(folder, 'alerts-test.yaml'))).toEqual({
    status: 0,
    text: expect.stringContaining('SUCCESS'),
  })
})
