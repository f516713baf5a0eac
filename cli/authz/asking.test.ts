import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from '@jest/globals'
import { keySetOf, makeKey, makeToken } from '../../test/support/tokens.ts'
import { formatExplanation } from '../explain/format.ts'
import { sourceOfConfig } from '../explain/source.ts'
import { type CheckedCall, checkCall, verdictJson } from './check.ts'
import { checkText } from './format.ts'
import { appliedRules } from './policies.ts'

/** Policies that ask somebody, and tokens: what `authz check` and `explain` say of them. */

const key = makeKey('k', 'ES256')
const token = (claims: object) => makeToken(key, { iss: 'https://issuer.test', ...claims })
const dir = mkdtempSync(join(tmpdir(), 'lateen-asking-'))
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
metadata: {name: paying}
spec:
  action: CUSTOM
  provider: {name: opa}
  rules:
  - to: [{operation: {paths: ["/pay/*"], ports: ["8080"]}}]
  - to: [{operation: {ports: ["9000"]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: alice}
spec: {rules: [{from: [{source: {requestPrincipals: ["https://issuer.test/alice"]}}]}]}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens}
spec: {jwtRules: [{issuer: "https://issuer.test", jwks: '${keySetOf([key])}'}]}
`,
)
const ASKED = 'cluster outbound|9191||opa.default.svc.cluster.local whether the'

async function check(path: string, bearer = '', more: Partial<CheckedCall> = {}) {
  const extensionProviders = [
    { name: 'opa', envoyExtAuthzGrpc: { service: 'opa.default.svc.cluster.local', port: 9191 } },
  ]
  const source = await sourceOfConfig([dir], 'orders-1.default', 'inbound', { extensionProviders })
  const url = new URL(`http://orders${path}`)
  const header: [string, string][] = bearer === '' ? [] : [['authorization', `Bearer ${bearer}`]]
  const call = { method: 'get', url, header, peer: '', sourceIp: '', sni: '', protocol: 'http' as const, ...more }
  const result = await checkCall(source, call)
  const text = checkText('orders-1.default', appliedRules(source.security), result)
  return { json: verdictJson(result), lines: text.split('\n'), result, call }
}

test('a call that a CUSTOM policy means would be asked about, and is not said to be allowed', async () => {
  const { json, lines, result, call } = await check('/pay/1')
  expect(json).toMatchObject({ asks: `${ASKED} call may pass`, token: null, authorization: { verdict: 'none' } })
  expect(lines.filter((line) => line.startsWith('CUSTOM'))).toHaveLength(2)
  expect(lines).toContain(`would ask ${ASKED} call may pass`)
  const meant = json.trace.find(({ matched }) => matched)
  expect(meant?.candidate).toContain('istio-ext-authz-opa-ns[default]-policy[paying]-rule[0]')
  expect(meant?.origin).toMatchObject({ name: 'paying', line: 24 })
  const symbolic = { ...call, headers: call.header, method: 'GET' } as never
  expect(formatExplanation(symbolic, '', result)).toContain(`would ask ${ASKED} call may pass`)
})

test('so would a connection of bytes', async () => {
  const { json, lines } = await check(':9000/', '', { protocol: 'tcp' })
  expect(json.asks).toBe(`${ASKED} connection may pass`)
  expect(lines).toContain(`would ask ${ASKED} connection may pass`)
})

test.each([
  [
    'one that is let in',
    token({ sub: 'alice' }),
    'accepted',
    'allow',
    'token accepted, of https://issuer.test for alice',
  ],
  ['one of another', token({ sub: 'bob' }), 'accepted', 'deny', 'token accepted, of https://issuer.test for bob'],
  ['one that is no longer good', token({ sub: 'alice', exp: 1 }), 'refused', 'none', 'token refused: Jwt is expired'],
  ['none', '', 'none', 'deny', 'token none, and the call may do without'],
])('the verdict about the token: %s', async (_name, bearer, verdict, authorization, line) => {
  const { json, lines } = await check('/', bearer)
  expect([json.asks, json.token?.verdict, json.authorization.verdict]).toEqual([null, verdict, authorization])
  expect(lines).toContain(line)
})

test('a token that is refused is told of before any verdict of policies', async () => {
  const { json, lines } = await check('/', token({ sub: 'alice', exp: 1 }))
  expect(json.token).toEqual({ verdict: 'refused', issuer: '', subject: '', reason: 'Jwt is expired' })
  expect(lines).toContain('refused for its token, before DENY and ALLOW are asked')
})
