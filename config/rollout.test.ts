import { expect, test } from '@jest/globals'
import { analyzeSnapshot } from './analysis/analyze.ts'
import { MemorySource } from './sources/memory.ts'

const app = (version: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: catalog-${version}, labels: {app: catalog, version: ${version}}}
spec:
  replicas: 1
  selector: {matchLabels: {app: catalog, version: ${version}}}
  template:
    metadata: {labels: {app: catalog, version: ${version}}}
    spec:
      serviceAccountName: catalog
      containers:
      - {name: catalog, image: "catalog:${version}", ports: [{containerPort: 8080}], imagePullPolicy: Always}
---
`
const base = `apiVersion: v1
kind: Service
metadata: {name: catalog}
spec:
  ports: [{name: http, port: 8080}]
  selector: {app: catalog}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: catalog}
---
${app('v1')}${app('v2')}apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: catalog}
spec:
  host: catalog
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
  - {name: v3, labels: {version: v3}}
`
const virtualService = (http: string) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: catalog}
spec:
  hosts: [catalog]
  http:
${http}`

const allToV1 = virtualService('  - route: [{destination: {host: catalog, subset: v1}}]\n')
const testersToV2 = virtualService(`  - match: [{headers: {end-user: {exact: tester}}}]
    route: [{destination: {host: catalog, subset: v2}}]
  - route: [{destination: {host: catalog, subset: v1}}]
`)
const split = (weight: number) =>
  virtualService(`  - route:
    - {destination: {host: catalog, subset: v1}, weight: ${100 - weight}}
    - {destination: {host: catalog, subset: v2}, weight: ${weight}}
`)

test('the steps of a rollout, and all of them in one directory, hold no error', () => {
  const steps = [allToV1, testersToV2, split(5), split(50), split(100)]
  const source = new MemorySource({ 'a.yaml': base })
  for (const step of steps) {
    source.set('step.yaml', step)
    const findings = analyzeSnapshot(source.current())
    expect(findings.map(({ code, severity, line }) => [code, severity, line])).toEqual([['IST0173', 'warning', 46]])
  }
  const together = new MemorySource({
    'a.yaml': base,
    ...Object.fromEntries(steps.map((step, i) => [`step-${i}.yaml`, step])),
  })
  const findings = analyzeSnapshot(together.current())
  expect(new Set(findings.map((finding) => finding.code))).toEqual(new Set(['LTN0103', 'IST0173']))
  expect(findings.filter((finding) => finding.severity === 'error')).toEqual([])
  const body = together.current().objects.find((object) => object.kind === 'VirtualService')?.body
  expect(body).toMatchObject({ spec: { http: [{ route: [{ weight: 0 }, { weight: 100 }] }] } })
})
