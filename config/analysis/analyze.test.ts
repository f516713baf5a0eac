import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { HTTPMatchRequest, StringMatch } from '../../crds/kinds/virtual-service.ts'
import { CODES } from '../codes.ts'
import { MemorySource } from '../sources/memory.ts'
import { networking } from '../testing.ts'
import { analyze } from './analyze.ts'
import { ANALYZERS } from './builtin.ts'
import { httpCovers, isCatchAll } from './match-cover.ts'

/** `[code, object, line]` of what the analyzers say about the objects of one file each. */
function analyzed(...texts: string[]): [string, string, number][] {
  const source = new MemorySource(Object.fromEntries(texts.map((text, index) => [`${index}.yaml`, text])))
  expect(source.current().findings.filter((finding) => finding.severity === 'error')).toEqual([])
  return analyze(source.current().objects).map(({ code, object, line }) => [code, object.name, line])
}

const inNamespace = (text: string, namespace: string) => text.replace('{name: ', `{namespace: ${namespace}, name: `)
const service = (name: string, ports = '[{name: http, port: 80}]', extra = '') =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: ${ports}, selector: {app: ${name}}${extra}}\n`
const deployment = (name: string, labels: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec: {selector: {matchLabels: ${labels}}, template: {metadata: {labels: ${labels}}}}
`
const vs = (spec: string, name = 'vs') => networking('VirtualService', spec, name)
const dr = (spec: string, name = 'dr') => networking('DestinationRule', spec, name)
const gateway = (servers: string, name = 'gw') =>
  networking('Gateway', `selector: {gw: "1"}\nservers: ${servers}`, name)
const http = '[{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]'
const to = (host: string, more = '') => `route: [{destination: {host: ${host}${more}}}]`

describe('IST0101: what is referred to exists', () => {
  test('hosts, by short and full name, of ServiceEntries and their wildcards', () => {
    const entry = networking(
      'ServiceEntry',
      'hosts: ["*.a.io", b.io]\nports: [{number: 443, name: tls, protocol: TLS}]',
    )
    const good = ['a', 'a.default.svc.cluster.local', 'x.a.io', 'b.io']
    for (const host of good) expect(analyzed(service('a'), entry, vs(`hosts: [a]\nhttp: [{${to(host)}}]`))).toEqual([])
    for (const host of ['b', 'a.default', 'a.other.svc.cluster.local', 'a.io', 'c.io']) {
      expect(analyzed(service('a'), entry, vs(`hosts: [a]\nhttp: [{${to(host)}}]`))).toEqual([['IST0101', 'vs', 6]])
    }
  })

  test('hosts that are not exported to the namespace do not', () => {
    const entry = networking(
      'ServiceEntry',
      'hosts: [b.io]\nports: [{number: 443, name: tls, protocol: TLS}]\nexportTo: ["."]',
    )
    const rule = vs(`hosts: [b.io]\nhttp: [{${to('b.io')}}]`)
    expect(analyzed(entry, rule)).toEqual([])
    expect(analyzed(inNamespace(entry, 'other'), rule)).toEqual([['IST0101', 'vs', 6]])
  })

  test('subsets, gateways, delegates and mirrors', () => {
    const subsets = dr('host: a\nsubsets: [{name: v1, labels: {v: "1"}}]')
    const spec = `hosts: [a]
gateways: [mesh, gone]
http:
- ${to('a', ', subset: v1')}
  mirror: {host: gone}
  match: [{port: 80}]
- ${to('a', ', subset: v2')}
  match: [{port: 81}]
- delegate: {name: gone}`
    expect(analyzed(service('a'), subsets, vs(spec))).toEqual([
      ['IST0101', 'vs', 6],
      ['IST0101', 'vs', 9],
      ['IST0101', 'vs', 11],
      ['IST0101', 'vs', 13],
    ])
  })
})

test('IST0109: one host of the mesh in two VirtualServices', () => {
  const one = vs(`hosts: [a]\nhttp: [{${to('a')}}]`, 'one')
  const two = vs(`hosts: [a.default.svc.cluster.local]\nhttp: [{${to('a')}}]`, 'two')
  expect(analyzed(service('a'), one, two)).toEqual([
    ['IST0109', 'one', 5],
    ['IST0109', 'two', 5],
  ])
  const atGateway = two.replace('http:', 'gateways: [gw]\n  http:')
  expect(analyzed(service('a'), gateway(http), one, atGateway)).toEqual([])
  expect(analyzed(service('a'), one, two.replace('http:', 'exportTo: [b]\n  http:'))).toEqual([])
})

test('IST0110 and IST0111: one Sidecar a workload', () => {
  const sidecar = (name: string, labels?: string) =>
    networking(
      'Sidecar',
      `${labels === undefined ? '' : `workloadSelector: {labels: ${labels}}\n`}egress: [{hosts: ["*/*"]}]`,
      name,
    )
  expect(analyzed(sidecar('a'), sidecar('b'), inNamespace(sidecar('c'), 'other'))).toEqual([
    ['IST0111', 'a', 1],
    ['IST0111', 'b', 1],
  ])
  const both = deployment('x', '{app: x, v: "1"}')
  expect(analyzed(both, sidecar('a', '{app: x}'), sidecar('b', '{v: "1"}'))).toEqual([
    ['IST0110', 'a', 5],
    ['IST0110', 'b', 5],
  ])
  expect(
    analyzed(
      deployment('x', '{app: x}'),
      deployment('z', '{v: "1"}'),
      sidecar('a', '{app: x}'),
      sidecar('b', '{v: "1"}'),
    ),
  ).toEqual([])
})

test('IST0157, IST0159 and IST0160: one Telemetry a workload, and somebody who is told', () => {
  const telemetry = (name: string, spec: string) =>
    networking('Telemetry', spec, name).replace('networking.istio.io', 'telemetry.istio.io')
  expect(analyzed(telemetry('a', 'tracing: [{providers: []}]'))).toEqual([['IST0157', 'a', 5]])
  expect(analyzed(telemetry('a', 'metrics: []'), inNamespace(telemetry('b', 'metrics: []'), 'other'))).toEqual([])
  expect(analyzed(telemetry('a', 'metrics: []'), telemetry('b', 'tracing: []'))).toEqual([
    ['IST0160', 'a', 1],
    ['IST0160', 'b', 1],
  ])
  const both = deployment('x', '{app: x, v: "1"}')
  const selecting = (name: string, labels: string) => telemetry(name, `selector: {matchLabels: ${labels}}`)
  expect(analyzed(both, selecting('a', '{app: x}'), selecting('b', '{v: "1"}'), telemetry('c', 'metrics: []'))).toEqual(
    [
      ['IST0159', 'a', 5],
      ['IST0159', 'b', 5],
    ],
  )
})

test('IST0112: a destination with several ports', () => {
  const two = service('a', '[{name: http, port: 80}, {name: http-b, port: 81}]')
  expect(analyzed(two, vs(`hosts: [a]\nhttp: [{${to('a')}}]`))).toEqual([['IST0112', 'vs', 6]])
  expect(analyzed(two, vs(`hosts: [a]\nhttp: [{${to('a', ', port: {number: 81}')}}]`))).toEqual([])
})

test('IST0116 and IST0137: services that share a port of a workload', () => {
  const work = deployment('x', '{app: a}')
  const other = service('b', '[{name: tcp, port: 80}]').replace('{app: b}', '{app: a}')
  expect(analyzed(work, service('a'), other)).toEqual([['IST0116', 'x', 1]])
  const moved = service('b', '[{name: http, port: 81, targetPort: 80}]').replace('{app: b}', '{app: a}')
  expect(analyzed(work, service('a'), moved)).toEqual([['IST0137', 'x', 1]])
})

test('IST0118: names of ports', () => {
  const named = (port: string) => analyzed(service('a', `[${port}]`)).map(([code]) => code)
  for (const port of [
    'name: http',
    'name: HTTP-x',
    'name: grpc-web',
    'name: x, appProtocol: kubernetes.io/h2c',
    'name: x, protocol: UDP',
  ]) {
    expect(named(`{port: 80, ${port}}`)).toEqual([])
  }
  expect(named('{port: 3306, name: db}')).toEqual([])
  for (const port of ['name: web', 'name: httpx', 'protocol: TCP'])
    expect(named(`{port: 80, ${port}}`)).toEqual(['IST0118'])
})

test('IST0127: selectors that match nothing, where it is known what runs', () => {
  expect(analyzed(gateway(http))).toEqual([])
  expect(analyzed(gateway(http), deployment('x', '{app: x}'))).toEqual([['IST0127', 'gw', 5]])
  expect(analyzed(gateway(http), inNamespace(deployment('x', '{gw: "1"}'), 'other'))).toEqual([])
})

describe('IST0130 and IST0131: routes that are never taken', () => {
  const routes = (...matches: string[]) =>
    analyzed(
      service('a'),
      vs(`hosts: [a]\nhttp:\n${matches.map((m) => `- {${m}${m ? ', ' : ''}${to('a')}}`).join('\n')}`),
    )

  test.each([
    [['', 'match: [{port: 1}]'], [['IST0130', 'vs', 8]]],
    [['match: [{uri: {prefix: /}}]', ''], [['IST0130', 'vs', 8]]],
    [['match: [{uri: {prefix: /a}}]', 'match: [{uri: {prefix: /ab}}]'], [['IST0130', 'vs', 8]]],
    [
      ['match: [{uri: {prefix: /a}}]', 'match: [{uri: {exact: /ab}, headers: {x: {exact: z}}}]'],
      [['IST0130', 'vs', 8]],
    ],
    [['match: [{uri: {prefix: /a}}]', 'match: [{uri: {exact: /ab}}, {uri: {exact: /c}}]'], [['IST0131', 'vs', 8]]],
    [['match: [{uri: {prefix: /a}}, {uri: {prefix: /a}}]', ''], [['IST0131', 'vs', 7]]],
    [['match: [{uri: {prefix: /ab}}]', 'match: [{uri: {prefix: /a}}]', ''], []],
    [['match: [{uri: {prefix: /a}, port: 1}]', 'match: [{uri: {prefix: /a}}]'], []],
    [['match: [{uri: {prefix: /a}}]', 'match: [{uri: {prefix: /A}}]', 'match: [{uri: {regex: /a}}]'], []],
  ] as [string[], [string, string, number][]][])('%j', (matches, findings) => {
    expect(routes(...matches)).toEqual(findings)
  })

  test('a covering match is met by whatever meets the covered one', () => {
    const text = fc.constantFrom('/', '/a', '/ab', '/A', 'x')
    const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
      text.map((exact) => ({ exact })),
      text.map((prefix) => ({ prefix })),
    )
    const headers = fc.dictionary(fc.constantFrom('h', 'i'), fc.oneof(stringMatch, fc.constant({})), { maxKeys: 2 })
    const match: fc.Arbitrary<HTTPMatchRequest> = fc.record(
      { uri: stringMatch, ignoreUriCase: fc.boolean(), method: stringMatch, headers, withoutHeaders: headers },
      { requiredKeys: [] },
    )
    const request = fc.record({
      path: text,
      method: text,
      headers: fc.dictionary(fc.constantFrom('h', 'i'), text, { maxKeys: 2 }),
    })
    type Request = { path: string; method: string; headers: Record<string, string> }
    const meets = (m: StringMatch, value: string, ignoreCase = false) => {
      const fold = (s: string) => (ignoreCase ? s.toLowerCase() : s)
      if (m.exact !== undefined) return fold(m.exact) === fold(value)
      return m.prefix === undefined || fold(value).startsWith(fold(m.prefix))
    }
    const met = (m: HTTPMatchRequest, r: Request) =>
      (m.uri === undefined || meets(m.uri, r.path, m.ignoreUriCase)) &&
      (m.method === undefined || meets(m.method, r.method)) &&
      Object.entries(m.headers ?? {}).every(([k, v]) => r.headers[k] !== undefined && meets(v, r.headers[k])) &&
      Object.entries(m.withoutHeaders ?? {}).every(([k, v]) =>
        Object.keys(v).length === 0 ? r.headers[k] === undefined : !meets(v, r.headers[k] ?? ''),
      )
    fc.assert(
      fc.property(match, match, request, (a, b, r) => {
        if (httpCovers(a, b) && met(b, r)) expect(met(a, r)).toBe(true)
        if (isCatchAll(a) && r.path.startsWith('/')) expect(met(a, r)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test('of tcp and tls too', () => {
    const tcp = `hosts: [a]\ntcp:\n- {${to('a')}}\n- {match: [{port: 1}], ${to('a')}}`
    expect(analyzed(service('a'), vs(tcp))).toEqual([['IST0130', 'vs', 8]])
    const sni = (host: string) => `- {match: [{sniHosts: ["${host}"]}], ${to('a')}}`
    const tls = (first: string, second: string) => vs(`hosts: ["*.io"]\ntls:\n${sni(first)}\n${sni(second)}`)
    expect(analyzed(service('a'), tls('*.a.io', 'b.a.io'))).toEqual([['IST0130', 'vs', 8]])
    expect(analyzed(service('a'), tls('b.a.io', '*.a.io'))).toEqual([])
  })
})

test('IST0132: hosts that the gateway does not take', () => {
  const only = gateway('[{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.a.io", "./b.io", "x/c.io"]}]')
  const rule = (host: string) => vs(`hosts: ["${host}"]\ngateways: [gw]\nhttp: [{${to('a')}}]`)
  for (const host of ['x.a.io', '*', 'b.io', '*.io']) expect(analyzed(service('a'), only, rule(host))).toEqual([])
  for (const host of ['c.io', 'a.io', 'a'])
    expect(analyzed(service('a'), only, rule(host))).toEqual([['IST0132', 'vs', 5]])
})

test('IST0134: TCP ports without addresses', () => {
  const entry = (extra: string) =>
    networking('ServiceEntry', `hosts: [a.io]\nports: [{number: 1, name: a, protocol: tcp}]${extra}`)
  expect(analyzed(entry(''))).toEqual([['IST0134', 'x', 6]])
  expect(analyzed(entry('\naddresses: [10.0.0.1]'))).toEqual([])
})

test('IST0145: gateways that open the same port for the same hosts', () => {
  expect(analyzed(gateway(http, 'a'), gateway(http, 'b'))).toEqual([
    ['IST0145', 'a', 6],
    ['IST0145', 'b', 6],
  ])
  expect(analyzed(gateway(http, 'a'), gateway(http.replace('"*"', 'b.io'), 'b'))).toEqual([])
  expect(analyzed(gateway(http, 'a'), gateway(http.replace('80', '81'), 'b'))).toEqual([])
})

test('IST0173 and IST0174: DestinationRules without a host, subsets without a workload', () => {
  const rule = dr('host: a\nsubsets:\n- {name: v1, labels: {v: "1"}}\n- {name: v2, labels: {v: "2"}}')
  expect(analyzed(rule)).toEqual([['IST0174', 'dr', 5]])
  expect(analyzed(rule, service('a'))).toEqual([])
  expect(analyzed(rule, service('a'), deployment('x', '{app: a, v: "1"}'))).toEqual([['IST0173', 'dr', 8]])
  expect(CODES.IST0173.severity).toBe('warning')
  expect(analyzed(dr('host: "*.svc.cluster.local"'), service('a'))).toEqual([])
  expect(analyzed(dr('host: "*.b.io"'), service('a'))).toEqual([['IST0174', 'dr', 5]])
  const entry = networking(
    'ServiceEntry',
    'hosts: [a.io]\nresolution: STATIC\nendpoints: [{address: 10.0.0.1, labels: {v: "1"}}]',
  )
  expect(analyzed(rule.replace('host: a', 'host: a.io'), entry)).toEqual([['IST0173', 'dr', 8]])
})

test('IST0177: protocols of one port of one host', () => {
  const entry = (name: string, protocol: string) =>
    networking('ServiceEntry', `hosts: [a.io]\nports: [{number: 1, name: a, protocol: ${protocol}}]`, name)
  expect(analyzed(entry('a', 'HTTP'), entry('b', 'GRPC'))).toEqual([
    ['IST0177', 'a', 6],
    ['IST0177', 'b', 6],
  ])
  expect(analyzed(entry('a', 'HTTP'), entry('b', 'http'))).toEqual([])
})

test('an object waives findings with the annotation', () => {
  const text = gateway(http).replace(
    '{name: gw}',
    '{name: gw, annotations: {galley.istio.io/analyze-suppress: "IST0127"}}',
  )
  expect(analyzed(text, deployment('x', '{app: x}'))).toEqual([])
})

test('each analyzer names its codes once, and they are known', () => {
  for (const { codes } of ANALYZERS) {
    expect(new Set(codes).size).toBe(codes.length)
    for (const code of codes) expect(CODES).toHaveProperty(code)
  }
})

describe('IST0149: claims are known only where tokens are checked', () => {
  const claims = (gateways: string, host = '*') =>
    vs(
      `hosts: ["${host}"]\ngateways: ${gateways}\nhttp: [{match: [{headers: {"@request.auth.claims.group": {exact: a}}}], ${to('a')}}]`,
    )
  const policy = (selector = '') => `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: ra}
spec: {${selector}jwtRules: [{issuer: a, jwksUri: "https://a"}]}
`
  const selector = (labels: string) => `selector: {matchLabels: ${labels}}, `

  test('at a gateway under a policy', () => {
    const objects = [service('a'), gateway(http), claims('[gw]')]
    expect(analyzed(...objects)).toEqual([['IST0149', 'vs', 7]])
    expect(analyzed(...objects, policy())).toEqual([])
    expect(analyzed(...objects, policy(selector('{gw: "1"}')))).toEqual([])
    expect(analyzed(...objects, policy(selector('{gw: "2"}')))).toEqual([['IST0149', 'vs', 7]])
    expect(analyzed(...objects, inNamespace(policy(), 'other'))).toEqual([['IST0149', 'vs', 7]])
    expect(analyzed(...objects, inNamespace(policy(), 'istio-system'))).toEqual([])
  })

  test('and at no sidecar', () => {
    expect(analyzed(service('a'), claims('[mesh]', 'a'), policy())).toEqual([['IST0149', 'vs', 7]])
  })
})
