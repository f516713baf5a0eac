import { describe, expect, test } from '@jest/globals'
import { MemorySource } from '../../sources/memory.ts'
import { analyze } from '../analyze.ts'
import type { AnalysisOptions } from '../context.ts'
import { valueCovers } from './values.ts'

const policy = (spec: string, name = 'p', namespace = 'default') =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec:\n${spec.replace(/^(?=.)/gm, '  ')}\n`
const WORKLOAD = `apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec: {template: {metadata: {labels: {app: a}}, spec: {serviceAccountName: web}}}
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {selector: {app: a}, ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp, port: 9000}]}
`

/** `[code, object, line]` of what is said of policies. */
function analyzed(texts: readonly string[], options: AnalysisOptions = {}): [string, string, number][] {
  const source = new MemorySource(Object.fromEntries([WORKLOAD, ...texts].map((text, i) => [`${i}.yaml`, text])))
  expect(source.current().findings).toEqual([])
  const findings = analyze(source.current().objects, options).filter(
    ({ object }) => object.kind === 'AuthorizationPolicy',
  )
  return findings.map(({ code, object, line }) => [code, object.name, line])
}

test('IST0127: a selector that selects nothing', () => {
  expect(analyzed([policy('selector: {matchLabels: {app: a}}\nrules: [{}]')])).toEqual([])
  expect(analyzed([policy('selector: {matchLabels: {app: b}}\nrules: [{}]')])).toEqual([['IST0127', 'p', 5]])
  const elsewhere = policy('selector: {matchLabels: {app: a}}\nrules: [{}]', 'p', 'other')
  expect(analyzed([elsewhere])).toEqual([['IST0127', 'p', 5]])
  expect(analyzed([elsewhere], { rootNamespace: 'other' })).toEqual([])
})

describe('LTN0201: what is never met', () => {
  const never = (rule: string, action = 'ALLOW', options: AnalysisOptions = {}) =>
    analyzed([policy(`action: ${action}\nrules:\n- ${rule}`)], options).map(([code]) => code)

  test.each([
    'from: [{source: {namespaces: [a], notNamespaces: ["a*"]}}]',
    'to: [{operation: {hosts: [A.b], notHosts: ["a.*"]}}]',
    'from: [{source: {ipBlocks: [10.1.0.0/16], notIpBlocks: [10.0.0.0/8]}}]',
    'when: [{key: "request.headers[x]", values: [a], notValues: [a]}]',
    'to: [{operation: {methods: [get]}}]',
    'to: [{operation: {methods: ["X*"]}}]',
    'to: [{operation: {ports: ["80"]}}]',
    'to: [{operation: {ports: ["9000"], paths: [/a]}}]',
    'to: [{operation: {ports: ["9000"]}}]\n  when: [{key: "request.headers[x]", values: [a]}]',
    'from: [{source: {principals: [spiffe://cluster.local/ns/default/sa/web]}}]',
    'from: [{source: {principals: [cluster.local/default/web]}}]',
    'from: [{source: {principals: [elsewhere/ns/default/sa/web]}}]',
    'from: [{source: {trustDomains: [elsewhere]}}]',
    'from: [{source: {serviceAccounts: [gone]}}]',
    'from: [{source: {principals: [cluster.local/ns/default/sa/gone]}}]',
  ])('%s', (rule) => {
    expect(never(rule)).toEqual(['LTN0201'])
  })

  test.each([
    'from: [{source: {namespaces: ["*"], notNamespaces: [a]}}]',
    'to: [{operation: {methods: [GET, "P*"]}}]',
    'to: [{operation: {ports: ["8080"], paths: [/a]}}]',
    'to: [{operation: {ports: ["9000"]}}]',
    'from: [{source: {principals: [cluster.local/ns/default/sa/web, "*/ns/a/sa/b"], serviceAccounts: [web]}}]'.replace(
      ', serviceAccounts: [web]',
      '',
    ),
    'from: [{source: {serviceAccounts: [web, other/gone]}}]',
  ])('but not: %s', (rule) => {
    expect(never(rule)).toEqual([])
  })

  test('a DENY rule of HTTP applies to bytes too, only wider', () => {
    expect(never('to: [{operation: {ports: ["9000"], paths: [/a]}}]', 'DENY')).toEqual([])
  })

  test('the trust domains are those of the mesh', () => {
    const rule = 'from: [{source: {principals: [elsewhere/ns/default/sa/web]}}]'
    expect(never(rule, 'ALLOW', { trustDomains: ['mine', 'elsewhere'] })).toEqual([])
  })
})

describe('LTN0202: what changes nothing', () => {
  const rule = (more: string) => `- to: [{operation: {${more}}}]`

  test('an ALLOW rule that an earlier one, or a wider one, covers', () => {
    const two = (a: string, b: string) => analyzed([policy(`rules:\n${rule(a)}\n${rule(b)}`)])
    expect(two('paths: ["/a/*"]', 'paths: [/a/b], methods: [GET]')).toEqual([['LTN0202', 'p', 7]])
    expect(two('paths: [/a/b]', 'paths: ["/a*"]')).toEqual([['LTN0202', 'p', 6]])
    expect(two('paths: [/a]', 'paths: [/a]')).toEqual([['LTN0202', 'p', 7]])
    expect(two('methods: [GET], paths: ["/a/*"]', 'paths: [/a/b]')).toEqual([])
    expect(two('notPaths: [/b]', 'notPaths: [/a, /b]')).toEqual([['LTN0202', 'p', 7]])
    expect(two('notPaths: [/a, /b]', 'notPaths: [/c]')).toEqual([])
  })

  test('across policies, as far as the other applies to all its workloads', () => {
    const wide = (selector: string, namespace: string) => policy(`${selector}rules: [{}]`, 'wide', namespace)
    const narrow = policy(`selector: {matchLabels: {app: a}}\nrules:\n${rule('paths: [/a]')}`, 'narrow')
    const found = [['LTN0202', 'narrow', 7]]
    expect(analyzed([wide('', 'default'), narrow])).toEqual(found)
    expect(analyzed([wide('', 'istio-system'), narrow])).toEqual(found)
    expect(analyzed([wide('selector: {matchLabels: {app: a}}\n', 'default'), narrow])).toEqual(found)
    expect(analyzed([wide('', 'other'), narrow])).toEqual([])
  })

  test('an ALLOW rule that a DENY always takes', () => {
    const deny = policy(`action: DENY\nrules:\n- from: [{source: {notNamespaces: [ops]}}]`, 'deny')
    const allow = (notNamespaces: string) =>
      policy(`rules:\n- from: [{source: {notNamespaces: [${notNamespaces}], ipBlocks: [10.0.0.0/8]}}]`, 'allow')
    expect(analyzed([deny, allow('ops')])).toEqual([['LTN0202', 'allow', 6]])
    expect(analyzed([deny, allow('web')])).toEqual([])
    const tried = deny.replace('name: deny,', 'name: deny, annotations: {istio.io/dry-run: "true"},')
    expect(analyzed([tried, allow('ops')])).toEqual([])
  })
})

test.each([
  ['*', 'a', true],
  ['a*', 'ab', true],
  ['a*', 'a*', true],
  ['ab*', 'a*', false],
  ['*b', 'ab', true],
  ['*b', '*ab', true],
  ['*', '*b', true],
  ['a*', '*b', false],
  ['a', '*', false],
  ['/a/*', '/a/{*}/b', true],
  ['/a/b*', '/a/{*}', false],
  ['*b', '/a/{*}/b', false],
  ['/{**}', '/a', false],
] as const)('%s covers %s: %s', (a, b, expected) => {
  expect(valueCovers(a, b, 'text')).toBe(expected)
})

test.each([
  ['10.0.0.0/8', '10.1.2.3', true],
  ['10.0.0.0/8', '11.0.0.0/8', false],
  ['10.1.0.0/16', '10.0.0.0/8', false],
  ['0.0.0.0/0', '::1', false],
  ['2001:db8::/32', '2001:db8:1::/48', true],
] as const)('%s covers %s: %s', (a, b, expected) => {
  expect(valueCovers(a, b, 'address')).toBe(expected)
})
