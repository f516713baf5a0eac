const V1 = '{ destination: { host: echo, subset: v1, port: { number: 9080 } } }'
const V2 = '{ destination: { host: echo, subset: v2, port: { number: 9080 } } }'

function virtualService(name: string, spec: string, namespace = 'default'): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec:
${spec
  .split('\n')
  .map((line) => `  ${line}`)
  .join('\n')}
`
}

/** Every match of a VirtualService's HTTP routes. */
const match = `hosts: [match]
http:
- { name: exact, match: [ { uri: { exact: /exact } } ], route: [ ${V2} ] }
- { name: prefix, match: [ { uri: { prefix: /prefix/ } } ], route: [ ${V2} ] }
- { name: regex, match: [ { uri: { regex: "/re/[a-z]+/\\\\d{2}" } } ], route: [ ${V2} ] }
- { name: nocase, match: [ { uri: { exact: /NoCase }, ignoreUriCase: true } ], route: [ ${V2} ] }
- { name: nocaseprefix, match: [ { uri: { prefix: /AnyCase }, ignoreUriCase: true } ], route: [ ${V2} ] }
- { name: method, match: [ { uri: { exact: /method }, method: { exact: PUT } } ], route: [ ${V2} ] }
- { name: methodre, match: [ { uri: { exact: /method }, method: { regex: "PATCH|DELETE" } } ], route: [ ${V2} ] }
- { name: scheme, match: [ { uri: { exact: /scheme }, scheme: { exact: https } } ], route: [ ${V2} ] }
- { name: authority, match: [ { uri: { exact: /authority }, authority: { prefix: "match.default" } } ], route: [ ${V2} ] }
- { name: hexact, match: [ { uri: { prefix: /h }, headers: { x-kind: { exact: gold } } } ], route: [ ${V2} ] }
- { name: hprefix, match: [ { uri: { prefix: /h }, headers: { x-kind: { prefix: sil } } } ], route: [ ${V2} ] }
- { name: hregex, match: [ { uri: { prefix: /h }, headers: { x-kind: { regex: "br.+e" } } } ], route: [ ${V2} ] }
- { name: hpresent, match: [ { uri: { prefix: /h }, headers: { x-there: {} } } ], route: [ ${V2} ] }
- { name: two, match: [ { uri: { prefix: /two }, headers: { x-a: { exact: "1" }, x-b: { exact: "2" } } } ], route: [ ${V2} ] }
- { name: without, match: [ { uri: { prefix: /without }, withoutHeaders: { x-skip: { exact: "yes" } } } ], route: [ ${V2} ] }
- { name: withoutany, match: [ { uri: { prefix: /absent }, withoutHeaders: { x-skip: {} } } ], route: [ ${V2} ] }
- { name: qexact, match: [ { uri: { prefix: /q }, queryParams: { v: { exact: "2" } } } ], route: [ ${V2} ] }
- { name: qregex, match: [ { uri: { prefix: /q }, queryParams: { w: { regex: "[0-9]+" } } } ], route: [ ${V2} ] }
- { name: qprefix, match: [ { uri: { prefix: /q }, queryParams: { p: { prefix: ab } } } ], route: [ ${V2} ] }
- { name: port, match: [ { uri: { prefix: /port }, port: 9090 } ], route: [ ${V2} ] }
- { name: labels, match: [ { uri: { prefix: /labels }, sourceLabels: { role: client } } ], route: [ ${V2} ] }
- { name: otherlabels, match: [ { uri: { prefix: /otherlabels }, sourceLabels: { role: nobody } } ], route: [ ${V2} ] }
- { name: namespace, match: [ { uri: { prefix: /ns }, sourceNamespace: default } ], route: [ ${V2} ] }
- { name: otherns, match: [ { uri: { prefix: /otherns }, sourceNamespace: elsewhere } ], route: [ ${V2} ] }
- { name: mesh, match: [ { uri: { prefix: /mesh }, gateways: [mesh] } ], route: [ ${V2} ] }
- { name: nomesh, match: [ { uri: { prefix: /nomesh }, gateways: [gateway-envoy] } ], route: [ ${V2} ] }
- { name: either, match: [ { uri: { exact: /either } }, { headers: { x-either: { exact: "yes" } } } ], route: [ ${V2} ] }
- { name: last, route: [ ${V1} ] }`

const rewrite = `hosts: [rewrite]
http:
- { match: [ { uri: { prefix: /old/ } } ], rewrite: { uri: /new/ }, route: [ ${V1} ] }
- { match: [ { uri: { prefix: /strip } } ], rewrite: { uri: / }, route: [ ${V1} ] }
- { match: [ { uri: { exact: /whole } } ], rewrite: { uri: /replaced }, route: [ ${V1} ] }
- { match: [ { uri: { regex: "/any/.*" } } ], rewrite: { uri: /fixed }, route: [ ${V1} ] }
- match: [ { uri: { prefix: /groups } } ]
  rewrite: { uriRegexRewrite: { match: "^/groups/([^/]+)/(.*)$", rewrite: "/\\\\2/of/\\\\1" } }
  route: [ ${V1} ]
- { match: [ { uri: { prefix: /host } } ], rewrite: { authority: other.example.org }, route: [ ${V1} ] }
- { match: [ { uri: { prefix: /both } } ], rewrite: { uri: /b, authority: "other:81" }, route: [ ${V1} ] }
- { route: [ ${V2} ] }`

const redirect = `hosts: [redirect]
http:
- { match: [ { uri: { exact: /uri } } ], redirect: { uri: /there } }
- { match: [ { uri: { prefix: /prefix/ } } ], redirect: { prefixRewrite: /moved/ } }
- { match: [ { uri: { prefix: /authority } } ], redirect: { authority: new.example.org } }
- { match: [ { uri: { prefix: /port } } ], redirect: { port: 8443 } }
- { match: [ { uri: { prefix: /derive } } ], redirect: { derivePort: FROM_PROTOCOL_DEFAULT, scheme: https } }
- { match: [ { uri: { prefix: /keepport } } ], redirect: { derivePort: FROM_REQUEST_PORT, authority: p.example.org } }
- { match: [ { uri: { prefix: /scheme } } ], redirect: { scheme: https } }
- { match: [ { uri: { prefix: /all } } ], redirect: { uri: /all-there, authority: a.example.org, scheme: https, port: 444, redirectCode: 307 } }
- { match: [ { uri: { prefix: /c302 } } ], redirect: { uri: /x, redirectCode: 302 } }
- { match: [ { uri: { prefix: /c303 } } ], redirect: { uri: /x, redirectCode: 303 } }
- { match: [ { uri: { prefix: /c308 } } ], redirect: { uri: /x, redirectCode: 308 } }
- { route: [ ${V1} ] }`

const direct = `hosts: [direct]
http:
- { match: [ { uri: { exact: /text } } ], directResponse: { status: 418, body: { string: "I am a teapot" } } }
- { match: [ { uri: { exact: /bytes } } ], directResponse: { status: 200, body: { bytes: "aGVsbG8=" } } }
- { match: [ { uri: { exact: /empty } } ], directResponse: { status: 503 } }
- match: [ { uri: { exact: /labelled } } ]
  directResponse: { status: 200, body: { string: ok } }
  headers: { response: { set: { x-direct: "yes" } } }
- { route: [ ${V1} ] }`

const headers = `hosts: [headers]
http:
- match: [ { uri: { prefix: /request } } ]
  headers: { request: { set: { x-set: s }, add: { x-add: a }, remove: [ x-drop, x-drop-too ] } }
  route: [ ${V1} ]
- match: [ { uri: { prefix: /response } } ]
  headers: { response: { set: { x-from-upstream: proxy }, add: { x-add: r, x-more: m }, remove: [ x-remove-me ] } }
  route: [ ${V1} ]
- match: [ { uri: { prefix: /host } } ]
  headers: { request: { set: { Host: rewritten.example.org } } }
  route: [ ${V1} ]
- match: [ { uri: { prefix: /dest } } ]
  headers: { request: { set: { x-level: route } }, response: { add: { x-level: route } } }
  route:
  - destination: { host: echo, subset: v2, port: { number: 9080 } }
    headers:
      request: { set: { x-level: destination, x-dest: d }, remove: [ x-drop ] }
      response: { set: { x-dest: d }, add: { x-level: destination } }
- { route: [ ${V1} ] }`

const fault = `hosts: [fault]
http:
- { match: [ { uri: { exact: /abort } } ], fault: { abort: { httpStatus: 555, percentage: { value: 100 } } }, route: [ ${V1} ] }
- { match: [ { uri: { exact: /delay } } ], fault: { delay: { fixedDelay: 0.05s, percentage: { value: 100 } } }, route: [ ${V1} ] }
- match: [ { uri: { exact: /both } } ]
  fault: { delay: { fixedDelay: 0.02s, percentage: { value: 100 } }, abort: { httpStatus: 400, percentage: { value: 100 } } }
  route: [ ${V1} ]
- { match: [ { uri: { exact: /never } } ], fault: { abort: { httpStatus: 500, percentage: { value: 0 } } }, route: [ ${V1} ] }
- match: [ { headers: { end-user: { exact: jason } } } ]
  fault: { abort: { httpStatus: 500, percentage: { value: 100 } } }
  route: [ ${V1} ]
- { timeout: 2s, retries: { attempts: 2, perTryTimeout: 1s, retryOn: "5xx,connect-failure,503" }, route: [ ${V1} ] }`

const cors = `hosts: [cors]
http:
- match: [ { uri: { prefix: /open } } ]
  corsPolicy:
    allowOrigins: [ { exact: "https://a.example.org" }, { prefix: "https://b." }, { regex: "https://[0-9]+\\\\.c\\\\.org" } ]
    allowMethods: [ GET, PUT ]
    allowHeaders: [ x-one, x-two ]
    exposeHeaders: [ x-shown ]
    maxAge: 24h
    allowCredentials: true
  route: [ ${V1} ]
- match: [ { uri: { prefix: /ignore } } ]
  corsPolicy: { allowOrigins: [ { exact: "https://a.example.org" } ], allowMethods: [ GET ], allowHeaders: [ x-h ], exposeHeaders: [ x-e ], maxAge: 1h, allowCredentials: true, unmatchedPreflights: IGNORE }
  route: [ ${V1} ]
- { route: [ ${V2} ] }`

const mirrored = `hosts: [mirrored]
http:
- { match: [ { uri: { prefix: /one } } ], mirror: { host: shadow, port: { number: 9080 } }, route: [ ${V1} ] }
- match: [ { uri: { prefix: /many } } ]
  mirrors: [ { destination: { host: shadow, port: { number: 9080 } }, percentage: { value: 100 } } ]
  route: [ ${V1} ]
- { route: [ ${V2} ] }`

const delegating = `hosts: [delegating]
http:
- { match: [ { uri: { prefix: /team } } ], delegate: { name: team, namespace: default } }
- { route: [ ${V1} ] }`

const team = `http:
- { match: [ { uri: { prefix: /team/blue } } ], rewrite: { uri: /blue }, route: [ ${V2} ] }
- { match: [ { uri: { exact: /team } } ], directResponse: { status: 204 } }
- { route: [ ${V2} ] }`

const weights = `hosts: [weights]
http:
- match: [ { uri: { prefix: /all } } ]
  route:
  - { destination: { host: echo, subset: v1, port: { number: 9080 } }, weight: 0 }
  - { destination: { host: echo, subset: v2, port: { number: 9080 } }, weight: 100 }
- route:
  - destination: { host: echo, subset: v1, port: { number: 9080 } }
    weight: 100
    headers: { response: { set: { x-weighted: v1 } } }
  - { destination: { host: echo, subset: v2, port: { number: 9080 } }, weight: 0 }`

const unknown = `hosts: [unknown]
http:
- { match: [ { uri: { prefix: /subset } } ], route: [ { destination: { host: echo, subset: v9, port: { number: 9080 } } } ] }
- { match: [ { uri: { prefix: /host } } ], route: [ { destination: { host: nobody, port: { number: 9080 } } } ] }`

const gateways = `hosts: ["api.example.com", "exact.test"]
gateways: [gateway-envoy, gateway-lateen]
http:
- { match: [ { uri: { prefix: /v2 } } ], rewrite: { uri: / }, route: [ ${V2} ] }
- { match: [ { headers: { x-canary: { exact: "true" } } } ], route: [ ${V2} ] }
- { match: [ { uri: { prefix: /v1 }, port: 8080 } ], route: [ ${V1} ] }`

const wildcard = `hosts: ["*.example.com"]
gateways: [gateway-envoy, gateway-lateen]
http:
- { match: [ { uri: { exact: /wild } } ], route: [ ${V1} ] }`

/** Of another namespace: one is for everybody, the other only for its own namespace. */
const exported = `hosts: [exported.default.svc.cluster.local]
exportTo: ["*"]
http:
- { match: [ { uri: { prefix: /rule } } ], directResponse: { status: 218 } }
- { route: [ { destination: { host: echo.default.svc.cluster.local, subset: v2, port: { number: 9080 } } } ] }`

const kept = `hosts: [private.default.svc.cluster.local]
exportTo: ["."]
http:
- { directResponse: { status: 500 } }`

/** By file name. */
export const RULES: Record<string, string> = {
  'exported.yaml': virtualService('exported', exported, 'elsewhere'),
  'kept.yaml': virtualService('kept', kept, 'elsewhere'),
  ...Object.fromEntries(
    Object.entries({
      match,
      rewrite,
      redirect,
      direct,
      headers,
      fault,
      cors,
      mirrored,
      delegating,
      team,
      weights,
      unknown,
      gateways,
      wildcard,
    }).map(([name, spec]) => [`${name}.yaml`, virtualService(name, spec)]),
  ),
}
