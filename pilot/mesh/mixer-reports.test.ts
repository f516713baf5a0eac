import { expect, test } from '@jest/globals'
import { generationOf } from '../testing/mesh.ts'
import { inboundReports, reportLogs } from '../translate/policy/reports.ts'
import { workloadReports } from './mixer-reports.ts'
import type { MeshOptions } from './options.ts'

const mixerReportServer = 'telemetry.mesh.svc.cluster.local:9091'
const RULE = `apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: { name: r, namespace: mesh }
spec:
  match: destination.labels["tier"] == "gold" && request.headers["X-A"] == response.headers["b"]
`

const telling = (mesh: Partial<MeshOptions> = { mixerReportServer }) => generationOf(RULE, mesh)

test('nobody is told without a mixer', () => {
  expect(telling({}).reports).toBeUndefined()
  expect(telling({}).dangling).toEqual([])
})

test('what is told is what rules speak of', () => {
  expect(telling().reports).toEqual({
    host: 'telemetry.mesh.svc.cluster.local',
    port: 9091,
    ofCalls: true,
    labels: ['tier'],
    requestHeaders: ['content-type', 'x-a'],
    responseHeaders: ['b', 'content-type'],
  })
})

test('a mixer that is no service is a finding', () => {
  expect(telling().dangling).toMatchObject([
    { code: 'IST0101', message: expect.stringContaining('mixerReportServer: no service is "telemetry.mesh') },
  ])
})

test('connections alone where calls are switched off, and nothing of the calls that tell', () => {
  const logs = (mesh: Partial<MeshOptions>, host: string) => {
    const reports = workloadReports(telling({ mixerReportServer, ...mesh }).reports, { tier: 'gold' }, [])
    const inbound = inboundReports(reports, 'shop', 80, host)
    return (['http', 'tcp'] as const).map((protocol) => reportLogs(inbound, protocol).length)
  }
  expect(logs({}, 'cart.shop.svc.cluster.local')).toEqual([1, 1])
  expect(logs({ disableMixerHttpReports: true }, 'cart.shop.svc.cluster.local')).toEqual([0, 1])
  expect(logs({}, 'telemetry.mesh.svc.cluster.local')).toEqual([0, 0])
})
