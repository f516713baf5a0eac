import { type Random, randomInt } from '../../lib/random.ts'
import { ALT_PORT, GATEWAY_PORT, HTTP_PORT } from './config.ts'

/** One request to put through both planes. */
export interface TestRequest {
  at: 'sidecar' | 'gateway'
  port: number
  method: string
  path: string
  host: string
  headers: [name: string, value: string][]
  body: string
}

interface Seed {
  host: string
  paths: string[]
  methods?: string[]
  headers?: [string, string][][]
  at?: TestRequest['at']
}

const PREFLIGHT: [string, string][] = [['access-control-request-method', 'PUT']]

/** Where each rule is met and where it is just missed. */
const SEEDS: readonly Seed[] = [
  {
    host: 'match',
    paths: [
      '/exact',
      '/exact/',
      '/Exact',
      '/prefix/',
      '/prefix',
      '/prefix/a',
      '/prefixes',
      '/re/abc/12',
      '/re/ABC/12',
      '/re/a/123',
      '/nocase',
      '/NOCASE',
      '/nocase/x',
      '/anycase/x',
      '/ANYCASEx',
    ],
  },
  { host: 'match', paths: ['/method', '/method/x'], methods: ['GET', 'PUT', 'PATCH', 'DELETE', 'put'] },
  {
    host: 'match',
    paths: ['/scheme', '/authority', '/port', '/labels', '/otherlabels', '/ns', '/otherns', '/mesh', '/nomesh', '/'],
  },
  {
    host: 'match',
    paths: ['/h', '/h/x', '/two', '/without', '/absent', '/either', '/other'],
    headers: [
      [],
      [['x-kind', 'gold']],
      [['X-Kind', 'silver']],
      [['x-kind', 'bronze']],
      [
        ['x-kind', 'gold'],
        ['x-kind', 'gold'],
      ],
      [
        ['x-kind', 'sil'],
        ['x-kind', 'ver'],
      ],
      [['x-kind', 'Gold']],
      [['x-there', '']],
      [['x-there', 'anything']],
      [
        ['x-a', '1'],
        ['x-b', '2'],
      ],
      [['x-a', '1']],
      [['x-skip', 'yes']],
      [['x-skip', 'no']],
      [['x-either', 'yes']],
    ],
  },
  {
    host: 'match',
    paths: [
      '/q?v=2',
      '/q?v=3',
      '/q?a=1&v=2',
      '/q?v=2&v=3',
      '/q?v=3&v=2',
      '/q?w=55',
      '/q?w=5a',
      '/q?w',
      '/q?p=abc',
      '/q?p=ba',
      '/q?V=2',
      '/q',
      '/q?v=%32',
      '/q/v=2',
    ],
  },
  {
    host: 'rewrite',
    paths: [
      '/old/a',
      '/old/',
      '/old',
      '/old/a/b?c=d',
      '/strip',
      '/strip/x',
      '/stripped?x',
      '/whole',
      '/whole?q=1',
      '/any/x/y?z',
      '/groups/a/b',
      '/groups/a/b/c?d=e',
      '/groups/a',
      '/host/x',
      '/both/y',
      '/none',
    ],
  },
  {
    host: 'redirect',
    paths: [
      '/uri',
      '/uri?q=1',
      '/prefix/a/b',
      '/prefix/?x=y',
      '/authority/x?y',
      '/port/x',
      '/derive/x',
      '/keepport/x?y=z',
      '/scheme/x',
      '/all/x',
      '/c302',
      '/c303/x',
      '/c308',
      '/none',
    ],
  },
  { host: 'direct', paths: ['/text', '/bytes', '/empty', '/labelled', '/none'], methods: ['GET', 'HEAD', 'POST'] },
  {
    host: 'headers',
    paths: ['/request', '/response', '/host', '/dest', '/none'],
    headers: [
      [],
      [
        ['x-set', 'mine'],
        ['x-add', 'mine'],
        ['X-Drop', '1'],
      ],
      [
        ['x-drop', '1'],
        ['x-drop', '2'],
        ['x-drop-too', '3'],
      ],
      [['x-level', 'client']],
    ],
  },
  {
    host: 'fault',
    paths: ['/abort', '/delay', '/both', '/never', '/none'],
    headers: [[], [['end-user', 'jason']], [['end-user', 'jasonx']]],
  },
  {
    host: 'cors',
    paths: ['/open', '/ignore', '/none'],
    methods: ['GET', 'OPTIONS'],
    headers: [
      [],
      [['origin', 'https://a.example.org']],
      [['origin', 'https://b.any.org']],
      [['origin', 'https://12.c.org']],
      [['origin', 'https://no.org']],
      [['origin', 'https://a.example.org'], ...PREFLIGHT],
      [['origin', 'https://no.org'], ...PREFLIGHT],
    ],
  },
  { host: 'mirrored', paths: ['/one', '/many', '/none'] },
  { host: 'delegating', paths: ['/team', '/team/blue/x', '/team/red', '/teams', '/none'] },
  { host: 'weights', paths: ['/all', '/some'] },
  { host: 'unknown', paths: ['/subset', '/host', '/none'] },
  { host: 'plain', paths: ['/', '/a%20b?c=%2F', '/x?'], methods: ['GET', 'POST', 'OPTIONS', 'HEAD'] },
  { host: 'exported', paths: ['/rule', '/rule/x', '/other'] },
  { host: 'private', paths: ['/', '/x'] },
  { host: 'nobody', paths: ['/'] },
  {
    host: 'api.example.com',
    at: 'gateway',
    paths: ['/v2', '/v2/x', '/v1/x', '/none', '/wild'],
    headers: [[], [['x-canary', 'true']]],
  },
  { host: 'exact.test', at: 'gateway', paths: ['/v2', '/v1', '/none'] },
  { host: 'other.example.com', at: 'gateway', paths: ['/wild', '/v1'] },
  { host: 'example.com', at: 'gateway', paths: ['/wild'] },
  { host: 'elsewhere.org', at: 'gateway', paths: ['/v1'] },
]

/** Every seed once, then random mixtures of them until there are `count`. */
export function generateRequests(random: Random, count: number): TestRequest[] {
  const requests = SEEDS.flatMap((seed) =>
    seed.paths.flatMap((path) =>
      (seed.methods ?? ['GET']).flatMap((method) =>
        (seed.headers ?? [[]]).map((headers) => requestOf(random, seed, path, method, headers)),
      ),
    ),
  )
  while (requests.length < count) {
    const seed = choose(random, SEEDS)
    const other = choose(random, SEEDS)
    const path = vary(random, choose(random, [...seed.paths, ...other.paths]))
    const method = choose(random, ['GET', 'GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'])
    const headers = [...choose(random, seed.headers ?? [[]]), ...choose(random, other.headers ?? [[]])]
    requests.push(requestOf(random, seed, path, method, headers))
  }
  return requests
}

function requestOf(random: Random, seed: Seed, path: string, method: string, headers: [string, string][]): TestRequest {
  const at = seed.at ?? 'sidecar'
  const port = at === 'gateway' ? GATEWAY_PORT : choose(random, [HTTP_PORT, HTTP_PORT, ALT_PORT])
  const body = method === 'POST' || method === 'PUT' || method === 'PATCH' ? 'body'.repeat(randomInt(random, 50)) : ''
  return { at, port, method, path, host: hostOf(random, seed, port), headers, body }
}

/** The ways in which a service is called: short, longer, with and without a port. */
function hostOf(random: Random, seed: Seed, port: number): string {
  if (seed.at === 'gateway' || seed.host === 'nobody') return choose(random, [seed.host, `${seed.host}:${port}`])
  const name = choose(random, ['', '', '.default', '.default.svc', '.default.svc.cluster.local'])
  return `${seed.host}${name}${choose(random, ['', `:${port}`])}`
}

/** Small changes that must not change more than they say. */
function vary(random: Random, path: string): string {
  switch (randomInt(random, 7)) {
    case 0:
      return `${path}${path.includes('?') ? '&' : '?'}extra=1`
    case 1:
      return path.replace('/', '/./')
    case 2:
      return path.replace('/', '/x/../')
    case 3:
      return path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)
    case 4:
      return path.toUpperCase()
    case 5:
      return `${path.split('?')[0]}/deep/er`
    default:
      return path
  }
}

function choose<T>(random: Random, from: readonly T[]): T {
  return from[randomInt(random, from.length)] as T
}

export function wireText(request: TestRequest): string {
  const lines = [
    `${request.method} ${request.path} HTTP/1.1`,
    `Host: ${request.host}`,
    ...request.headers.map(([name, value]) => `${name}: ${value}`),
    ...(request.body === '' ? [] : [`Content-Length: ${request.body.length}`]),
    'Connection: close',
  ]
  return `${lines.join('\r\n')}\r\n\r\n${request.body}`
}
