import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { SimulationReport } from '../../../cli/simulate/report/report.ts'
import { builtCli } from '../../e2e/built.ts'
import { istioItem, serviceOf } from '../../support/simulate.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const OUTAGE = 'samples/simulate/three-tier-outage.yaml'
const CANARY = 'samples/simulate/slow-canary.yaml'

let cli = ''
let folder = ''

beforeAll(() => {
  cli = builtCli()
  folder = mkdtempSync(join(tmpdir(), 'lateen-simulate-'))
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function run(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'simulate', ...words], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  return { status, stdout, stderr }
}

/** A sample with other words in it, as a file of its own. */
function edited(sample: string, from: string | RegExp, to: string): string {
  const before = readFileSync(join(root, sample), 'utf8')
  const after = before.replaceAll(from, to)
  expect(after).not.toBe(before)
  const file = join(folder, 'edited.yaml')
  writeFileSync(file, after)
  return file
}

/** Lets all retries be under way at a time, as Istio does. */
function unbounded(host: string): string {
  const spec = { host, trafficPolicy: { connectionPool: { http: { maxRetries: 1000 } } } }
  return istioItem('DestinationRule', host, spec)
}

test('the same seed gives the same report, byte for byte, and another seed another', () => {
  for (const flags of [[], ['--json']]) {
    const first = run(CANARY, ...flags)
    expect(first.status).toBe(0)
    expect(run(CANARY, ...flags).stdout).toBe(first.stdout)
    expect(run(CANARY, '--seed', '8', ...flags).stdout).not.toBe(first.stdout)
    expect(run(CANARY, '--seed', '7', ...flags).stdout).toBe(first.stdout)
  }
})

test('the outage of three tiers keeps its bounds, and without the budget it does not', () => {
  const bounded = run(OUTAGE)
  expect(bounded.status).toBe(0)
  expect(bounded.stdout).toContain('met      service database: amplification below 1.2 from 30s to 50s')
  expect(bounded.stdout).toContain('Load amplification of database')
  const multiplied = run(
    edited(OUTAGE, 'expect:\n', `${['orders', 'database'].map(unbounded).join('')}expect:\n`),
    '--json',
  )
  expect(multiplied.status).toBe(1)
  const report = JSON.parse(multiplied.stdout) as SimulationReport
  const failed = report.expectations.filter(({ met }) => !met)
  expect(failed.map(({ expectation }) => expectation)).toEqual([
    'service database: amplification below 1.2 from 30s to 50s',
  ])
  // Retries multiply: those of orders are repeated by the frontend.
  expect(serviceOf(report, 'database').peakAmplification).toBeGreaterThan(6)
  expect(serviceOf(report, 'orders').peakAmplification).toBeLessThan(4)
  expect(serviceOf(report, 'frontend').peakAmplification).toBe(1)
})

test('an expectation that is not met is shown with its line', () => {
  const { status, stdout } = run(edited(CANARY, 'amplification: { below: 1.1 }', 'amplification: { below: 1.001 }'))
  expect(status).toBe(1)
  const line =
    readFileSync(join(folder, 'edited.yaml'), 'utf8')
      .split('\n')
      .findIndex((text) => text.includes('1.001')) + 1
  expect(stdout).toMatch(
    new RegExp(
      `NOT MET {2}service reviews: amplification below 1.001; measured 1\\.\\d+ {2}\\[.*edited.yaml:${line}\\]`,
    ),
  )
})

test('the canary is taken back by the change of configuration', () => {
  const { stdout } = run(CANARY, '--json')
  const report = JSON.parse(stdout) as SimulationReport
  expect(report.configuration.map(({ generation, atMs }) => [generation, atMs])).toEqual([
    [1, 0],
    [2, 40_100],
  ])
  const [client] = report.clients
  const slow = (client?.slices.p99Ms ?? []).map((ms) => ms > 150)
  const sliceAt = (seconds: number) => (seconds * 1000) / report.sliceMs
  expect(slow.slice(0, sliceAt(19.5)).some(Boolean)).toBe(false)
  expect(slow.slice(sliceAt(21), sliceAt(39)).filter(Boolean).length).toBeGreaterThan(6)
  expect(slow.slice(sliceAt(42)).some(Boolean)).toBe(false)
})

test.each([
  [
    'an unknown field',
    /cocurrency: 32|concurrency: 32/g,
    'cocurrency: 32',
    ':12: services[0].cocurrency: unknown field; did you mean "concurrency"?',
  ],
  [
    'a rule that is not valid',
    'simple: LEAST_REQUEST',
    'simple: LEAST_LOAD',
    ':18: spec.trafficPolicy.loadBalancer.simple: must be one of',
  ],
])('%s is refused with file and line', (_name, from, to, message) => {
  const file = edited(CANARY, from, to)
  const { status, stdout, stderr } = run(file)
  expect([status, stdout]).toEqual([65, ''])
  expect(stderr).toContain(`${file}${message}`)
})

test('a file that is not there, and a seed that is none', () => {
  expect(run('nowhere.yaml')).toMatchObject({
    status: 65,
    stderr: expect.stringContaining('nowhere.yaml: cannot be read'),
  })
  expect(run(CANARY, '--seed', 'x').status).toBe(64)
})
