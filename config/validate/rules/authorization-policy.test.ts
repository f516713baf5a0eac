import { describe, expect, test } from '@jest/globals'
import { problemsOf } from '../../testing.ts'

/** A policy whose spec, in YAML, begins on line 5. */
const policy = (spec: string, annotations = '') =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: x${annotations}}\nspec:\n${spec.replace(/^(?=.)/gm, '  ')}\n`
const messages = (spec: string) => problemsOf(policy(spec)).map(([, , message]) => message)
const from = (source: string) => messages(`rules: [{from: [{source: ${source}}]}]`)
const to = (operation: string) => messages(`rules: [{to: [{operation: ${operation}}]}]`)
const when = (condition: string) => messages(`rules: [{when: [${condition}]}]`)

test('what Istio takes is well', () => {
  const all = `selector: {matchLabels: {app: a}}
action: ALLOW
rules:
- {}
- from:
  - source: {principals: ["*"], notPrincipals: [a/ns/b/sa/c], requestPrincipals: ["i/*"], notRequestPrincipals: [i/s]}
  - source: {namespaces: [a], notNamespaces: [b], ipBlocks: [10.0.0.0/8], notIpBlocks: ["2001:db8::1"]}
  - source: {remoteIpBlocks: [1.2.3.4], notRemoteIpBlocks: [1.2.3.0/24], trustDomains: [td], notTrustDomains: [x]}
  - source: {serviceAccounts: [a, b/c], notServiceAccounts: [d]}
  to:
  - operation: {hosts: ["*.a"], notHosts: [b], ports: ["80"], notPorts: ["1"], methods: [GET], notMethods: [PUT]}
  - operation: {paths: ["/a/*", "/b/{*}/c/{**}", "/x*y"], notPaths: [/c]}
  when:
  - {key: "request.headers[x-a]", values: [a]}
  - {key: "request.auth.claims[a][b]", notValues: ["*"]}
  - {key: "experimental.envoy.filters.a.b[c]", values: [a]}
  - {key: source.ip, values: [10.0.0.1]}
  - {key: destination.port, values: ["80"]}`
  expect(problemsOf(policy(all))).toEqual([])
  expect(messages('{}')).toEqual([])
  expect(messages('action: CUSTOM\nprovider: {name: p}\nrules: [{}]')).toEqual([])
})

describe('refused, with the line', () => {
  test.each([
    ['{}', 'needs at least one field'],
    ['{principals: []}', 'must not be empty'],
    ['{principals: [""]}', 'must not be empty'],
    ['{ipBlocks: [10.0.0.0/33]}', '"10.0.0.0/33" is no IP address or CIDR prefix'],
    ['{serviceAccounts: ["*"]}', '"*" is no service account'],
    ['{serviceAccounts: [a/b/c]}', '"a/b/c" is no service account'],
    ['{serviceAccounts: [a], principals: [b]}', 'cannot stand beside principals'],
    ['{notServiceAccounts: [a], namespaces: [b]}', 'cannot stand beside namespaces'],
    [`{serviceAccounts: [${Array.from({ length: 17 }, (_, i) => `a${i}`)}]}`, 'at most 16, found 17'],
    ['{principal: [a]}', 'unknown field'],
  ])('source %s', (source, message) => {
    expect(from(source).join()).toContain(message)
  })

  test.each([
    ['{ports: [http]}', '"http" is no port'],
    ['{ports: ["70000"]}', '"70000" is no port'],
    ['{paths: ["/a/{b}"]}', '"{b}" is no part of a path template'],
    ['{paths: ["/{**}/a"]}', 'nothing may follow {**}'],
    ['{paths: ["/a*/{*}"]}', '"a*" cannot be text of a path template'],
    ['{notPaths: ["a/{*}"]}', 'must begin with a slash'],
    ['{paths: ["/{*}/"]}', 'has an empty segment'],
  ])('operation %s', (operation, message) => {
    expect(to(operation).join()).toContain(message)
  })

  test.each([
    ['{key: request.header, values: [a]}', '"request.header" is no attribute'],
    ['{key: "request.headers[]", values: [a]}', 'is no attribute'],
    ['{key: "request.headers[a b]", values: [a]}', '"a b" is no name of a header'],
    ['{key: source.ip, values: [a]}', '"a" is no IP address'],
    ['{key: source.principal}', 'needs values or notValues'],
    ['{key: source.principal, values: []}', 'must not be empty'],
  ])('condition %s', (condition, message) => {
    expect(when(condition).join()).toContain(message)
  })

  test('the action and its provider', () => {
    expect(messages('action: CUSTOM\nrules: [{}]')).toEqual(['spec.provider.name: must be given for action CUSTOM'])
    expect(messages('provider: {name: p}\nrules: [{}]').join()).toContain('is for action CUSTOM only')
    const many = Array.from({ length: 513 }, () => '{}').join()
    expect(messages(`rules: [${many}]`)).toEqual(['spec.rules: at most 512 rules, found 513'])
  })

  test('the line is that of the value', () => {
    expect(problemsOf(policy('rules:\n- from:\n  - source:\n      ipBlocks:\n      - 10.0.0.1\n      - x'))).toEqual([
      ['IST0106', 10, 'spec.rules[0].from[0].source.ipBlocks[1]: "x" is no IP address or CIDR prefix'],
    ])
  })
})

test('what never applies is warned of', () => {
  expect(problemsOf(policy('action: DENY'))).toEqual([
    ['IST0133', 4, 'spec.rules: action DENY without rules never applies; write rules: [{}] for every call'],
  ])
  const custom = 'action: CUSTOM\nprovider: {name: p}\nrules: [{from: [{source: {requestPrincipals: ["*"]}}]}]'
  expect(messages(custom).join()).toContain('tokens are looked at later')
  const dryRun = (value: string, spec: string) =>
    problemsOf(policy(spec, `, annotations: {istio.io/dry-run: "${value}"}`)).map(([code]) => code)
  expect(dryRun('true', 'rules: [{}]')).toEqual([])
  expect(dryRun('yes', 'rules: [{}]')).toEqual(['IST0133'])
  expect(dryRun('true', 'action: AUDIT\nrules: [{}]')).toEqual(['IST0133'])
})

test('targets are named as not honoured', () => {
  const [[code] = []] = problemsOf(policy('targetRefs: [{kind: Gateway, name: g}]\nrules: [{}]'))
  expect(code).toBe('LTN0101')
})
