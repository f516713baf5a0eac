import { describe, expect, test } from '@jest/globals'
import { KINDS } from '../../crds/kinds.ts'
import { Report } from '../report.ts'
import { networking, problemsOf } from '../testing.ts'
import { checkSchema } from './schema.ts'

/** Problems of an object of that kind whose spec begins on line 5. */
const of = (kind: string, spec: string) => problemsOf(networking(kind, spec))
const route = 'route: [{destination: {host: a}}]'

describe('schema', () => {
  test('names unknown fields with their line and what was probably meant', () => {
    expect(of('VirtualService', `hosts: [a]\nhttp:\n- matchs: []\n  ${route}\n  retries: {attempt: 1}`)).toEqual([
      ['IST0106', 7, 'spec.http[0].matchs: unknown field; did you mean "match"?'],
      ['IST0106', 9, 'spec.http[0].retries.attempt: unknown field; did you mean "attempts"?'],
    ])
    expect(of('DestinationRule', 'host: a\nqwertyuiop: 1')).toEqual([
      [
        'IST0106',
        6,
        'spec.qwertyuiop: unknown field; known are host, trafficPolicy, subsets, exportTo, workloadSelector',
      ],
    ])
  })

  test('says what was found and what is allowed', () => {
    const spec = `hosts: [1]
http:
- ${route}
  timeout: 5
  match: [{headers: {x-test: {exact: true}}}]
- route: [{destination: {}, weight: -1}]
  timeout: 5 s
  corsPolicy: {unmatchedPreflights: FORWRD}`
    expect(of('VirtualService', spec)).toEqual([
      ['IST0106', 5, 'spec.hosts[0]: must be a string, found the number 1; quote it to make it a string'],
      [
        'IST0106',
        9,
        'spec.http[0].match[0].headers.x-test.exact: must be a string, found the boolean true; yes, no, on, off, y and n are booleans too, so quote it',
      ],
      ['IST0106', 8, 'spec.http[0].timeout: must be a string, found the number 5; quote it to make it a string'],
      ['IST0106', 10, 'spec.http[1].route[0].destination.host: must be given'],
      ['IST0106', 10, 'spec.http[1].route[0].weight: must be >= 0, found the number -1'],
      [
        'IST0106',
        11,
        'spec.http[1].timeout: must be a duration of whole milliseconds, such as 5s, 250ms or 0s, found "5 s"',
      ],
      [
        'IST0106',
        12,
        'spec.http[1].corsPolicy.unmatchedPreflights: must be one of UNSPECIFIED, FORWARD, IGNORE, found "FORWRD"; did you mean "FORWARD"?',
      ],
    ])
  })

  test('a field that is null is absent; a null in a list or map of the user is wrong', () => {
    expect(of('DestinationRule', 'host: a\ntrafficPolicy:\nsubsets: ~')).toEqual([])
    expect(of('DestinationRule', 'host: ~')).toEqual([['IST0106', 5, 'spec.host: must be given']])
    expect(of('VirtualService', `hosts: [~]\nhttp: [{${route}}]`)).toEqual([
      ['IST0106', 5, 'spec.hosts[0]: must be a string, found nothing'],
    ])
    expect(of('VirtualService', `hosts: [a]\nhttp: [{${route}, match: [{headers: {a: }}]}]`)).toEqual([
      ['IST0106', 6, 'spec.http[0].match[0].headers.a: must be a map, found nothing'],
    ])
  })

  test('takes every version of a kind, names others', () => {
    for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
      expect(problemsOf(networking('DestinationRule', 'host: a').replace('/v1', `/${version}`))).toEqual([])
    }
    expect(problemsOf(networking('DestinationRule', 'host: a').replace('/v1', '/v2'))).toEqual([
      ['LTN0102', 1, 'version v2 of DestinationRule is not known; write networking.istio.io/v1'],
    ])
  })

  test('Kubernetes objects may hold what we do not read', () => {
    const service = `apiVersion: v1
kind: Service
metadata: {name: a, uid: x}
spec: {sessionAffinityConfig: {}, ports: [{port: 80, targetPort: web, whatever: 1}], selector: {app: a}}
status: {}
`
    expect(problemsOf(service)).toEqual([])
    expect(problemsOf(service.replace('port: 80', 'port: "80"'))).toEqual([
      ['IST0106', 4, 'spec.ports[0].port: must be an integer, found "80"'],
    ])
  })
})

describe('TLS of a DestinationRule', () => {
  const findings = (tls: string) => of('DestinationRule', `host: a\ntrafficPolicy:\n  tls: ${tls}`)

  test.each([
    '{mode: SIMPLE}',
    '{mode: SIMPLE, caCertificates: /roots.pem, subjectAltNames: [a], sni: a}',
    '{mode: MUTUAL, clientCertificate: /a.pem, privateKey: /a.key}',
    '{mode: DISABLE}',
  ])('%s is well', (tls) => {
    expect(findings(tls)).toEqual([])
  })

  test('MUTUAL shows a certificate', () => {
    expect(findings('{mode: MUTUAL, clientCertificate: /a.pem}').map(([, , message]) => message)).toEqual([
      'spec.trafficPolicy.tls.privateKey: must be given: MUTUAL shows a certificate',
    ])
  })

  test('ISTIO_MUTUAL has no files of its own, and a credential stands beside none', () => {
    const messages = (tls: string) => findings(tls).map(([, , message]) => message)
    expect(messages('{mode: ISTIO_MUTUAL, caCertificates: /roots.pem}')).toContain(
      "spec.trafficPolicy.tls.caCertificates: must be empty: ISTIO_MUTUAL takes the mesh's own",
    )
    expect(messages('{mode: MUTUAL, credentialName: a, privateKey: /a.key}')).toContain(
      'spec.trafficPolicy.tls.privateKey: cannot stand beside credentialName',
    )
  })
})

describe("TLS of a Gateway's server", () => {
  const messages = (tls: string) =>
    of('Gateway', `servers:\n- {port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: ${tls}}`).map(
      ([, , message]) => message,
    )
  const at = 'spec.servers[0].tls'

  test.each([
    '{mode: SIMPLE, serverCertificate: /a.pem, privateKey: /a.key, minProtocolVersion: TLSV1_3}',
    '{mode: SIMPLE, tlsCertificates: [{serverCertificate: /a.pem, privateKey: /a.key}]}',
    '{mode: MUTUAL, serverCertificate: /a.pem, privateKey: /a.key, caCertificates: /roots.pem}',
    '{mode: SIMPLE, credentialName: a.b-c}',
    '{mode: SIMPLE, credentialNames: [rsa, ecdsa]}',
    '{mode: MUTUAL, credentialName: a}',
    '{mode: OPTIONAL_MUTUAL, credentialName: a, caCertCredentialName: a-cacert}',
    '{mode: MUTUAL, serverCertificate: /a.pem, privateKey: /a.key, caCertCredentialName: roots}',
    '{mode: ISTIO_MUTUAL, subjectAltNames: ["spiffe://a/ns/b/sa/c"], minProtocolVersion: TLSV1_3}',
    '{mode: AUTO_PASSTHROUGH}',
    '{mode: PASSTHROUGH}',
  ])('%s is well', (tls) => {
    expect(messages(tls)).toEqual([])
  })

  test.each([
    ['{mode: SIMPLE, serverCertificate: /a.pem}', `${at}.privateKey: must be given for mode SIMPLE`],
    [
      '{mode: SIMPLE, tlsCertificates: [{serverCertificate: /a.pem}]}',
      `${at}.tlsCertificates[0].privateKey: must be given`,
    ],
    [
      '{mode: MUTUAL, serverCertificate: /a.pem, privateKey: /a.key}',
      `${at}.caCertificates: must be given for mode MUTUAL: clients are verified by them`,
    ],
    [
      '{mode: SIMPLE, serverCertificate: /a.pem, privateKey: /a.key, cipherSuites: [ROT13]}',
      `${at}.cipherSuites[0]: ROT13 is not known, and left out`,
    ],
    [
      '{mode: SIMPLE, credentialName: a, credentialNames: [b]}',
      `${at}.credentialNames: cannot stand beside credentialName`,
    ],
    ['{mode: SIMPLE, credentialNames: [a, b, c]}', `${at}.credentialNames: may have at most 2 entries`],
    [
      '{mode: SIMPLE, credentialName: a, tlsCertificates: [{serverCertificate: /a.pem, privateKey: /a.key}]}',
      `${at}.tlsCertificates: cannot stand beside credentialName`,
    ],
    [
      '{mode: SIMPLE, credentialName: other/a}',
      `${at}.credentialName: "other/a" is no name of a Secret; nor can it name one of another namespace`,
    ],
    ['{mode: SIMPLE, credentialName: a-cacert}', `${at}.credentialName: a name that ends in -cacert stands for roots`],
    [
      '{mode: ISTIO_MUTUAL, credentialName: a}',
      `${at}.credentialName: must be empty: ISTIO_MUTUAL takes the mesh's own`,
    ],
  ])('%s is not', (tls, message) => {
    expect(messages(tls)).toEqual([message])
  })
})

describe('PeerAuthentication', () => {
  const messages = (spec: string) =>
    problemsOf(networking('PeerAuthentication', spec).replace('networking.istio.io', 'security.istio.io')).map(
      ([, , message]) => message,
    )

  test('modes of a mesh, a workload and its ports are well', () => {
    expect(messages('mtls: {mode: STRICT}')).toEqual([])
    expect(messages('selector: {matchLabels: {app: a}}\nportLevelMtls: {"8080": {mode: DISABLE}}')).toEqual([])
  })

  test('ports are those of a workload', () => {
    expect(messages('portLevelMtls: {"8080": {mode: DISABLE}}')).toEqual(['spec.portLevelMtls: needs a selector'])
    expect(messages('selector: {matchLabels: {app: a}}\nportLevelMtls: {http: {mode: DISABLE}}')).toEqual([
      'spec.portLevelMtls.http: "http" is no port',
    ])
    expect(messages('mtls: {mode: MAYBE}').join()).toContain('spec.mtls.mode')
  })
})

describe('fields without effect', () => {
  test('are named with their line, once for a whole block, and refuse nothing', () => {
    const spec = `host: a
trafficPolicy:
  tls:
    mode: SIMPLE
  tunnel:
    targetHost: b
subsets:
- name: v1
  labels: {version: v1}
  trafficPolicy: {connectionPool: {http: {http2KeepAlive: {interval: 1s}}}}`
    expect(of('DestinationRule', spec)).toEqual([
      ['LTN0101', 9, 'spec.trafficPolicy.tunnel: has no effect: tunnels are not honoured yet'],
      [
        'LTN0101',
        14,
        'spec.subsets[0].trafficPolicy.connectionPool.http.http2KeepAlive: has no effect: HTTP/2 keep-alive is not honoured yet',
      ],
    ])
  })

  test('single values too', () => {
    expect(of('ServiceEntry', 'hosts: ["*.a.io"]\nresolution: DYNAMIC_DNS')).toEqual([
      ['LTN0101', 6, 'spec.resolution: DYNAMIC_DNS has no effect: dynamic resolution is not honoured yet'],
    ])
    expect(of('Sidecar', 'egress: [{hosts: ["./*", "~b/x.b.svc.cluster.local"]}]').map(([code]) => code)).toEqual([
      'LTN0101',
    ])
  })
})

test('a switch that is off needs no effect', () => {
  expect(
    of('VirtualService', `hosts: [a]\nhttp: [{${route}, retries: {attempts: 1, retryRemoteLocalities: false}}]`),
  ).toEqual([])
})

test('the schema of every kind compiles', () => {
  for (const info of KINDS) {
    const report = new Report()
    checkSchema(info, { apiVersion: 'v1', kind: info.kind }, report)
    expect(report.problems.every((problem) => problem.message.endsWith('must be given'))).toBe(true)
  }
})

const VALID: [string, string][] = [
  ['VirtualService', `hosts: ["*"]\ngateways: [g, ./g, ns/g]\nhttp: [{${route}}]`],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, timeout: 0s, retries: {attempts: 3, retryOn: "5xx, 409,reset"}}]`],
  ['VirtualService', `http: [{${route}}]`],
  ['VirtualService', 'hosts: [a]\nhttp: [{delegate: {name: b, namespace: c}}]'],
  ['VirtualService', 'hosts: [a]\nhttp: [{directResponse: {status: 503, body: {string: x}}}]'],
  ['VirtualService', `hosts: [a]\nhttp: [{match: [{uri: {prefix: /a}}], redirect: {prefixRewrite: /b}}]`],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, match: [{headers: {a: {}, b: {regex: "*"}}}]}]`],
  ['VirtualService', 'hosts: ["*.a.io"]\ntls: [{match: [{sniHosts: [b.a.io]}], route: [{destination: {host: a}}]}]'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, headers: {request: {set: {host: b.io}}}}]`],
  ['DestinationRule', 'host: "*.a.io"\ntrafficPolicy: {outlierDetection: {consecutive5xxErrors: 0}}'],
  [
    'DestinationRule',
    'host: a\ntrafficPolicy: {portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}',
  ],
  [
    'Gateway',
    'servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["./*", "a/b.io", "*"], tls: {httpsRedirect: true}}]',
  ],
  ['Sidecar', 'egress: [{port: {number: 80}, hosts: ["*/*"]}, {hosts: ["~/*"]}]'],
  ['Sidecar', 'ingress: [{port: {number: 80, protocol: HTTP, name: a}, defaultEndpoint: "127.0.0.1:8080"}]'],
  ['ServiceEntry', 'hosts: [a.io]\nresolution: DNS\nports: [{number: 443, name: tls, protocol: TLS}]\nexportTo: ["~"]'],
  ['ServiceEntry', 'hosts: [a.io]\naddresses: [10.0.0.0/8, "::1"]'],
  [
    'ServiceEntry',
    'hosts: [a.io]\nresolution: STATIC\nports: [{number: 1, name: p}]\nendpoints: [{address: unix:///a}]',
  ],
  ['WorkloadEntry', 'address: 10.0.0.1\nports: {http: 8080}\nweight: 3'],
]

test.each(VALID)('%s %j is valid', (kind, spec) => {
  expect(of(kind, spec)).toEqual([])
})

const big = 'x'.repeat(1024 * 1024 + 1)

/** Kind, spec, line and a part of the message. */
const INVALID: [string, string, number, string][] = [
  ['VirtualService', `hosts: ["*"]\nhttp: [{${route}}]`, 5, 'not for the mesh'],
  ['VirtualService', `hosts: [a.*.b]\nhttp: [{${route}}]`, 5, 'no host name'],
  ['VirtualService', `hosts: [a.b.io,\n  "*.b.io"]\nhttp: [{${route}}]`, 6, 'overlaps with "a.b.io"'],
  ['VirtualService', `hosts: [a, a]\nhttp: [{${route}}]`, 5, 'given twice'],
  ['VirtualService', 'hosts: [a]', 4, 'at least one of http'],
  ['VirtualService', `gateways: [g]\nhttp: [{${route}}]`, 5, 'without hosts'],
  ['VirtualService', `http: [{delegate: {name: b}}]`, 5, 'cannot delegate again'],
  ['VirtualService', `hosts: [a]\nhttp: [{delegate: {name: b}, ${route}}]`, 6, 'cannot stand beside delegate'],
  ['VirtualService', 'hosts: [a]\nhttp: [{timeout: 1s}]', 6, 'needs one of route'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, redirect: {uri: /}}]`, 6, 'only one of route and redirect'],
  [
    'VirtualService',
    'hosts: [a]\nhttp: [{redirect: {uri: /}, fault: {abort: {httpStatus: 500}}}]',
    6,
    'beside redirect',
  ],
  ['VirtualService', 'hosts: [a]\nhttp: [{redirect: {}}]', 6, 'redirects to itself'],
  ['VirtualService', 'hosts: [a]\nhttp: [{redirect: {uri: /, redirectCode: 304}}]', 6, '301, 302'],
  ['VirtualService', 'hosts: [a]\nhttp: [{redirect: {prefixRewrite: /}}]', 6, 'needs every match'],
  ['VirtualService', 'hosts: [a]\nhttp: [{redirect: {port: 1, derivePort: FROM_REQUEST_PORT}}]', 6, 'beside port'],
  ['VirtualService', 'hosts: [a]\nhttp: [{directResponse: {status: 199}}]', 6, 'from 200 to 599'],
  [
    'VirtualService',
    `hosts: [a]\nhttp: [{directResponse: {status: 200, body: {string: ${big}}}}]`,
    6,
    'bytes, at most',
  ],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, match: [{uri: {exact: /, prefix: /}}]}]`, 6, 'only one of exact'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, match: [{uri: {}}]}]`, 6, 'needs one of exact'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, match: [{uri: {regex: "(?=a)"}}]}]`, 6, 'no RE2 pattern'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, match: [{uri: {regex: ${'a'.repeat(1025)}}}]}]`, 6, '1024'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, match: [{headers: {"a b": {}}}]}]`, 6, 'no header name'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, match: [{gateways: [a/b/c]}]}]`, 6, 'no gateway'],
  [
    'VirtualService',
    `hosts: [a]\nhttp: [{${route}, rewrite: {uri: /, uriRegexRewrite: {match: a, rewrite: b}}}]`,
    6,
    'beside uri',
  ],
  [
    'VirtualService',
    `hosts: [a]\nhttp: [{${route}, rewrite: {uriRegexRewrite: {match: a, rewrite: "\\\\1"}}}]`,
    6,
    'group 1',
  ],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, rewrite: {}}]`, 6, 'needs a uri'],
  [
    'VirtualService',
    `hosts: [a]\nhttp: [{${route}, rewrite: {authority: b}, headers: {request: {set: {Host: c}}}}]`,
    6,
    'already rewritten',
  ],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, headers: {request: {remove: [host]}}}]`, 6, 'cannot be removed'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, headers: {request: {set: {":path": x}}}}]`, 6, 'pseudo-header'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, retries: {attempts: 0, perTryTimeout: 1s}}]`, 6, 'attempts is 0'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, retries: {attempts: 1, retryOn: 5xxx}}]`, 6, 'did you mean "5xx"'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, retries: {attempts: 1, retryOn: "99"}}]`, 6, 'no status code'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, retries: {backoff: 0.5ms}}]`, 6, 'whole milliseconds'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, fault: {}}]`, 6, 'needs a delay or an abort'],
  [
    'VirtualService',
    `hosts: [a]\nhttp: [{${route}, fault: {abort: {httpStatus: 500, grpcStatus: OK, percentage: {value: 1}}}}]`,
    6,
    'exactly one',
  ],
  [
    'VirtualService',
    `hosts: [a]\nhttp: [{${route}, fault: {abort: {grpcStatus: UNAVAILABEL, percentage: {value: 1}}}}]`,
    6,
    '"UNAVAILABLE"',
  ],
  [
    'VirtualService',
    `hosts: [a]\nhttp: [{${route}, fault: {delay: {fixedDelay: 1s, percentage: {value: 0.00001}}}}]`,
    6,
    'at least 0.0001',
  ],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, mirrorPercentage: {value: 101}}]`, 6, '<= 100'],
  [
    'VirtualService',
    `hosts: [a]\nhttp: [{${route}, mirror: {host: b}, mirrors: [{destination: {host: c}}]}]`,
    6,
    'beside mirror',
  ],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, corsPolicy: {maxAge: 1.5s}}]`, 6, 'whole seconds'],
  [
    'VirtualService',
    'hosts: [a]\nhttp: [{route: [{destination: {host: a}}, {destination: {host: b}}]}]',
    6,
    'add up to 0',
  ],
  ['VirtualService', 'hosts: [a]\nhttp: [{route: [{destination: {host: "*"}}]}]', 6, 'one service'],
  [
    'VirtualService',
    'hosts: [a.io]\ntls: [{match: [{sniHosts: [b.io]}], route: [{destination: {host: a}}]}]',
    6,
    'not within',
  ],
  [
    'VirtualService',
    'hosts: [a.io]\ntcp: [{match: [{destinationSubnets: [10.0.0.0/33]}], route: [{destination: {host: a}}]}]',
    6,
    'no IP address',
  ],
  ['VirtualService', 'hosts: [a.io]\ntcp: [{match: [{port: 1}]}]', 6, 'at least one destination'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}}]\nexportTo: ["*", a]`, 7, 'must stand alone'],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}}]\nexportTo: ["~"]`, 7, 'ServiceEntries only'],
  ['DestinationRule', 'host: a\nsubsets: [{name: v1, labels: {a: b}}, {name: v1, labels: {a: b}}]', 6, 'given twice'],
  ['DestinationRule', 'host: a\nsubsets: [{name: V_1, labels: {a: b}}]', 6, 'no DNS label'],
  ['DestinationRule', 'host: a\ntrafficPolicy: {}', 6, 'at least one setting'],
  ['DestinationRule', 'host: a\ntrafficPolicy: {connectionPool: {}}', 6, 'tcp or http'],
  ['DestinationRule', 'host: a\ntrafficPolicy: {portLevelSettings: [{}]}', 6, 'must be given'],
  [
    'DestinationRule',
    'host: a\ntrafficPolicy: {outlierDetection: {consecutiveLocalOriginFailures: 1}}',
    6,
    'splitExternal',
  ],
  ['DestinationRule', 'host: a\ntrafficPolicy: {outlierDetection: {interval: 0s}}', 6, 'at least 1ms'],
  ['Gateway', 'selector: {a: b}', 4, 'at least one server'],
  ['Gateway', 'servers: [{port: {number: 0, name: a, protocol: HTTP}, hosts: ["*"]}]', 5, '1 to 65535'],
  ['Gateway', 'servers: [{port: {number: 1, name: a, protocol: HTPP}, hosts: ["*"]}]', 5, 'must be one of HTTP'],
  [
    'Gateway',
    'servers: [{port: {number: 1, name: a, protocol: HTTPS}, hosts: ["*"]}]',
    5,
    'must be given for protocol',
  ],
  [
    'Gateway',
    'servers: [{port: {number: 1, name: a, protocol: TCP}, hosts: ["*"], tls: {httpsRedirect: true}}]',
    5,
    'not allowed',
  ],
  ['Gateway', 'servers: [{port: {number: 1, name: a, protocol: HTTP}, hosts: ["*a.io"]}]', 5, 'no host name'],
  [
    'Gateway',
    'servers:\n- {port: {number: 1, name: a, protocol: HTTP}, hosts: ["*"]}\n- {port: {number: 2, name: a, protocol: HTTP}, hosts: ["*"]}',
    7,
    'given twice',
  ],
  ['Sidecar', 'workloadSelector: {labels: {a: b}}', 4, 'needs ingress'],
  ['Sidecar', 'egress: [{hosts: ["*/*"]}, {port: {number: 1}, hosts: ["*/*"]}]', 5, 'must be the last'],
  ['Sidecar', 'egress: [{hosts: [a]}]', 5, 'must be namespace/host'],
  ['Sidecar', 'ingress: [{port: {number: 1}, defaultEndpoint: "10.0.0.1:80"}]', 5, 'must be 127.0.0.1:PORT'],
  ['Sidecar', 'ingress: [{port: {number: 1}}, {port: {number: 1}}]', 5, 'given twice'],
  ['ServiceEntry', 'hosts: ["*"]', 5, '"*" alone'],
  ['ServiceEntry', 'hosts: [a.io]\nresolution: DNS\naddresses: [10.0.0.0/8]', 7, 'CIDR'],
  ['ServiceEntry', 'hosts: ["*.a.io"]\nresolution: DNS', 5, 'cannot be looked up'],
  ['ServiceEntry', 'hosts: [a.io]\nendpoints: [{address: 10.0.0.1}]', 6, 'resolution NONE'],
  ['ServiceEntry', 'hosts: [a.io]\nresolution: STATIC\nendpoints: [{address: b.io}]', 7, 'must be an IP address'],
  [
    'ServiceEntry',
    'hosts: [a.io]\nresolution: STATIC\nendpoints: [{address: 10.0.0.1, ports: {x: 1}}]',
    7,
    'not the name of a port',
  ],
  [
    'ServiceEntry',
    'hosts: [a.io]\nresolution: STATIC\nendpoints: [{address: 10.0.0.1}]\nworkloadSelector: {labels: {a: b}}',
    7,
    'beside workloadSelector',
  ],
  ['ServiceEntry', 'hosts: [a.io]\nports: [{number: 1, name: a}, {number: 1, name: b}]', 6, 'given twice'],
  [
    'ServiceEntry',
    'hosts: [a.io]\nports: [{number: 1, name: a, targetPort: 2}]',
    6,
    'not allowed with resolution NONE',
  ],
  [
    'ServiceEntry',
    'hosts: [a.io]\nresolution: DNS_ROUND_ROBIN\nendpoints: [{address: a.io}, {address: b.io}]',
    7,
    'only one',
  ],
  ['WorkloadEntry', 'labels: {a: b}', 4, 'must be given'],
  ['WorkloadEntry', 'address: unix://a', 5, 'absolute path'],
  ['WorkloadEntry', 'address: 10.0.0.1\nlabels: {a: "b c"}', 6, 'cannot be a label'],
]

test.each(INVALID)('%s %j is refused at line %d', (kind, spec, line, message) => {
  expect(of(kind, spec)).toContainEqual(['IST0106', line, expect.stringContaining(message)])
})

const WARNED: [string, string, string, string][] = [
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, fault: {abort: {httpStatus: 500}}}]`, 'IST0133', 'never happens'],
  [
    'VirtualService',
    `hosts: [a]\nhttp: [{directResponse: {status: 200, body: {string: ${'x'.repeat(200_000)}}}}]`,
    'IST0133',
    'bytes',
  ],
  ['VirtualService', `hosts: [a]\nhttp: [{${route}, mirrorPercent: 5}]`, 'IST0002', 'deprecated'],
  ['DestinationRule', 'host: a\nsubsets: [{name: v1}]', 'IST0133', 'every endpoint'],
  ['DestinationRule', 'host: a\ntrafficPolicy: {loadBalancer: {simple: LEAST_CONN}}', 'IST0002', 'LEAST_REQUEST'],
  ['ServiceEntry', 'hosts: [a.io]\nresolution: STATIC', 'IST0133', 'nowhere'],
  ['Sidecar', 'workloadSelector: {}\negress: [{hosts: ["*/*"]}]', 'IST0133', 'every workload'],
]

test.each(WARNED)('%s %j is taken with a warning', (kind, spec, code, message) => {
  expect(of(kind, spec)).toEqual([[code, expect.any(Number), expect.stringContaining(message)]])
})

test('an object with a thousand faults is not a thousand findings', () => {
  const hosts = Array.from({ length: 1000 }, (_unused, index) => `"-${index}"`).join(', ')
  expect(of('VirtualService', `hosts: [${hosts}]\nhttp: [{${route}}]`)).toHaveLength(100)
})
