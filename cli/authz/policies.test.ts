import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from '@jest/globals'
import { explainCall, type SymbolicCall } from '../../proxy/decide/explain.ts'
import { sourceOfConfig } from '../explain/source.ts'
import { appliedRules } from './policies.ts'

const dir = mkdtempSync(join(tmpdir(), 'lateen-authz-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
writeFileSync(
  join(dir, 'a.yaml'),
  `apiVersion: v1
kind: Service
metadata: {name: orders}
spec: {selector: {app: orders}, ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp, port: 9000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: orders-1, labels: {app: orders}}
spec: {containers: [{name: a}]}
status: {podIP: 10.0.0.5, phase: Running}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: PERMISSIVE}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: callers}
spec:
  selector: {matchLabels: {app: orders}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/web]}}]
  - from: [{source: {ipBlocks: [192.0.2.0/24]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: admin}
spec: {action: DENY, rules: [{to: [{operation: {paths: ["/admin*"], ports: ["8080"]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: tried, annotations: {istio.io/dry-run: "true"}}
spec: {}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: elsewhere, namespace: other}
spec: {}
`,
)

const open = () => sourceOfConfig([dir], 'orders-1.default', 'inbound')

test('the rules of a workload, in the order in which they are asked', async () => {
  const rows = appliedRules((await open()).security)
  expect(rows.map(({ action, policy, rule, dryRun, line }) => [action, policy, rule, dryRun, line])).toEqual([
    ['DENY', 'default/admin', 0, false, 29],
    ['ALLOW', 'default/callers', 0, false, 23],
    ['ALLOW', 'default/callers', 1, false, 24],
    ['ALLOW', 'default/tried', null, true, 31],
  ])
})

test('a call is judged by them, as by the proxy', async () => {
  const { plan, inboundDestination } = await open()
  const explain = (path: string, more: Partial<SymbolicCall> = {}) => {
    const url = new URL(`http://orders${path}`)
    return explainCall(plan, {
      method: 'GET',
      url,
      headers: [],
      direction: 'inbound',
      destination: inboundDestination(80),
      resolvedAddress: '',
      protocol: 'http',
      tls: 'none',
      sni: '',
      alpn: [],
      peer: '',
      randomValue: 0,
      faultDraw: 0,
      ...more,
    })
  }
  const web = { tls: 'mtls', alpn: ['istio'], peer: 'spiffe://cluster.local/ns/default/sa/web' } as const
  expect((await explain('/')).authorization).toEqual({ verdict: 'deny', policy: null, rule: null, origin: null })
  expect(await explain('/', web)).toMatchObject({
    authorization: { verdict: 'allow', policy: 'default/callers', rule: '0', origin: { line: 23 } },
    directResponse: null,
    error: null,
  })
  // A name that was not shown in a handshake counts for nothing.
  expect((await explain('/', { ...web, tls: 'none' })).authorization.verdict).toBe('deny')
  expect((await explain('/', { sourceIp: '192.0.2.7' })).authorization).toMatchObject({ verdict: 'allow', rule: '1' })
  const denied = await explain('/admin', web)
  expect(denied.authorization).toMatchObject({ verdict: 'deny', policy: 'default/admin', origin: { line: 29 } })
  expect(denied.directResponse).toMatchObject({ status: 403, body: 'RBAC: access denied' })
  expect(await explain('/', { ...web, destination: '10.0.0.5:9000' })).toMatchObject({
    authorization: { verdict: 'allow' },
    cluster: 'inbound|9000||',
  })
  const closed = await explain('/', { destination: '10.0.0.5:9000' })
  expect([closed.authorization.verdict, closed.error]).toEqual(['deny', 'the connection is not authorized'])
  const looked = closed.trace
    .filter(({ candidate }) => candidate.includes('policy'))
    .map(({ candidate, reason }) => [candidate, reason])
  expect(looked).toEqual([
    ['DENY policy ns[default]-policy[admin]-rule[0]', 'does not match: port 8080'],
    ['ALLOW policy ns[default]-policy[tried]-rule[0]', 'does not match: never'],
    [
      'ALLOW policy ns[default]-policy[callers]-rule[0]',
      'does not match: peer exact "spiffe://cluster.local/ns/default/sa/web"',
    ],
    ['ALLOW policy ns[default]-policy[callers]-rule[1]', 'does not match: direct source in 192.0.2.0/24'],
  ])
})
