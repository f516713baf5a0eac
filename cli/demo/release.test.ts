import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { findingsOf } from '../commands/analyze.ts'
import { totalOfInbound } from './calls-seen.ts'
import { gist, RELEASE } from './release.ts'
import { documentsOfKinds, SampleFiles } from './sample-files.ts'
import { hasAcceptedSince } from './take-effect.ts'

const folder = join(import.meta.dirname, '../../samples/bookinfo')
const releases = readdirSync(join(folder, 'release'))

test.each(releases)('the samples with %s have no errors', async (file) => {
  const base = ['bookinfo.yaml', 'destination-rules.yaml', 'gateway.yaml'].map((name) => join(folder, name))
  const findings = await findingsOf([...base, join(folder, 'release', file)])
  // The gateway itself is not among the samples.
  expect(findings.filter(({ code }) => code !== 'IST0127')).toEqual([])
})

test('every step asks for a whole', () => {
  for (const { shares } of RELEASE) {
    for (const who of new Set(shares.map((share) => share.who))) {
      const sum = shares.filter((share) => share.who === who).reduce((total, share) => total + share.asked, 0)
      expect(sum).toBeCloseTo(1)
    }
  }
})

test('the gist of a route is its rules, and of a pod the pod', () => {
  const route = readFileSync(join(folder, 'release/1-all-v1.yaml'), 'utf8')
  expect(gist(route)).toBe('http:\n  - route:\n      - destination: { host: reviews, subset: v1 }')
  expect(gist('kind: Pod\nmetadata:\n  name: a\n---\nkind: Sidecar\n')).toBe('kind: Pod\nmetadata:\n  name: a')
})

test('documents are taken by kind, as they are written', () => {
  const text = '# first\nkind: A\n---\nkind: B\nx: { y: 1 } # why\n---\nkind: A\nz: 2\n'
  expect(documentsOfKinds(text, ['B'])).toContain('x: { y: 1 } # why')
  expect(documentsOfKinds(text, ['B'])).not.toContain('kind: A')
  expect(documentsOfKinds(text, ['A']).split('---')).toHaveLength(2)
})

test('a program outside the package is told what is missing', () => {
  expect(() => new SampleFiles('/nowhere/main.js')).toThrow('samples/bookinfo')
})

test('a change is in force when something was accepted since, and nothing is outstanding', () => {
  const proxies = (rds: { status: string; ageMs: number }) => [
    { proxy: 'a.default', types: { CDS: { status: 'SYNCED', ageMs: 9000 }, RDS: rds } },
  ]
  expect(hasAcceptedSince(proxies({ status: 'SYNCED', ageMs: 50 }), 'a.default', 100)).toBe(true)
  expect(hasAcceptedSince(proxies({ status: 'SYNCED', ageMs: 150 }), 'a.default', 100)).toBe(false)
  expect(hasAcceptedSince(proxies({ status: 'STALE', ageMs: 50 }), 'a.default', 100)).toBe(false)
  expect(hasAcceptedSince(proxies({ status: 'SYNCED', ageMs: 50 }), 'b.default', 100)).toBe(false)
  expect(hasAcceptedSince([{ proxy: 'a.default', types: {} }], 'a.default', 100)).toBe(false)
})

test("a sidecar's calls are those of its inbound clusters", () => {
  const text = `inbound|9080||::127.0.0.1:9081::rq_active::1
inbound|9080||::127.0.0.1:9081::rq_total::7
inbound|9081||::127.0.0.1:9082::rq_total::2
outbound|9080||ratings.default.svc.cluster.local::127.0.0.2:9080::rq_total::100
`
  expect(totalOfInbound(text)).toBe(9)
})
