import { expect, test } from '@jest/globals'
import { loadMeshConfig } from './mesh-config.ts'

const findings = (text: string) =>
  loadMeshConfig('mesh.yaml', text).findings.map(({ code, line, message }) => [code, line, message])

test('the fields that are honoured are taken as they are', () => {
  const text = `trustDomain: td
trustDomainAliases: [old]
outboundTrafficPolicy: {mode: REGISTRY_ONLY}
connectTimeout: 5s
extensionProviders:
- name: a
  envoyExtAuthzGrpc: {service: ns/a.ns.svc.cluster.local, port: 9000, includeRequestBodyInCheck: {maxRequestBytes: 1}}
`
  const { config, findings: wrong } = loadMeshConfig('mesh.yaml', text)
  expect(wrong).toEqual([])
  expect(config.trustDomain).toBe('td')
  expect(config.extensionProviders?.[0]?.envoyExtAuthzGrpc?.port).toBe(9000)
  expect(loadMeshConfig('mesh.yaml', '')).toEqual({ config: {}, findings: [] })
})

test('others are left out, and named with their line', () => {
  const text = `trustDomain: td
ingressService: x
defaultConfig: {concurrency: 2}
extensionProviders:
- name: datadog
  datadog: {service: z, port: 1}
- name: a
  envoyExtAuthzHttp: {service: a.b, port: 1, headersToDownstreamOnDenied: [x]}
`
  const { config } = loadMeshConfig('mesh.yaml', text)
  expect(config.extensionProviders?.map(({ name }) => name)).toEqual(['datadog', 'a'])
  expect(findings(text).map(([code, line]) => [code, line])).toEqual([
    ['LTN0101', 2],
    ['LTN0101', 3],
    ['LTN0101', 6],
    ['LTN0101', 8],
  ])
})

test('what cannot be used is an error, and nothing of the file is used', () => {
  const wrong = (provider: string) => findings(`extensionProviders:\n- ${provider}`)
  expect(wrong('{name: a, envoyExtAuthzGrpc: {service: "*", port: 1}}').join()).toContain(
    'neither host nor namespace/host',
  )
  expect(wrong('{name: a, envoyExtAuthzGrpc: {service: b, port: 1, statusOnError: "999"}}').join()).toContain(
    'no HTTP status',
  )
  expect(wrong('{name: a, envoyExtAuthzGrpc: {service: b, port: 0}}').join()).toContain('port')
  for (const mixer of ['a', 'a:', ':1', 'a:0', 'a:70000', '*.b:1', 'a:b']) {
    expect(findings(`mixerCheckServer: ${JSON.stringify(mixer)}`).join()).toContain('is not host:port')
    expect(findings(`mixerReportServer: ${JSON.stringify(mixer)}`).join()).toContain('is not host:port')
  }
  expect(findings('mixerCheckServer: a.b.svc.cluster.local:9091')).toEqual([])
  expect(findings('mixerReportServer: a.b.svc.cluster.local:9091')).toEqual([])
  expect(wrong('{name: a}\n- {name: a}').join()).toContain('"a" is given twice')
  expect(loadMeshConfig('m', 'trustDomain: 1\nrootNamespace: a').config).toEqual({})
  expect(findings('- a').join()).toContain('must be a map')
  expect(findings('a: [').length).toBeGreaterThan(0)
})
