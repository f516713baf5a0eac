import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { ByteUpstream } from '../support/byte-upstream.ts'
import { converse, statuses } from '../support/raw-client.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/** One path is what is matched and what the upstream sees, whatever the disguise, as the connection manager is told. */

const SETTINGS = {
  plain: {},
  reject: { path_with_escaped_slashes_action: 'REJECT_REQUEST' },
  unescape: { path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD' },
  redirect: { path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT' },
  raw: { normalize_path: false, merge_slashes: false },
} as const
type Setting = keyof typeof SETTINGS

const upstream = new ByteUpstream()
const proxies = new Map<Setting, StaticProxy>()

beforeAll(async () => {
  const port = await upstream.listen()
  const routes = [
    { match: { prefix: '/admin' }, direct_response: { status: 403 } },
    { match: { prefix: '/' }, route: { cluster: 'upstream' } },
  ]
  const route_config = { name: 'all', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] }
  for (const setting of Object.keys(SETTINGS) as Setting[]) {
    const manager = { route_config, ...SETTINGS[setting] }
    proxies.set(setting, await StaticProxy.start({ upstreams: [port], manager }))
  }
})
beforeEach(() => upstream.forget())
afterAll(async () => {
  upstream.close()
  for (const proxy of proxies.values()) await proxy.stop()
})

interface Outcome {
  status: number
  /** What the upstream was asked, or ''. */
  path: string
  location: string
}

async function ask(setting: Setting, path: string): Promise<Outcome> {
  const request = `GET ${path} HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n`
  const { text } = await converse((proxies.get(setting) as StaticProxy).port, [request])
  return {
    status: statuses(text)[0] ?? 0,
    path: /^GET (\S+) HTTP/.exec(upstream.text)?.[1] ?? '',
    location: /\r\nlocation: (\S+)/i.exec(text)?.[1] ?? '',
  }
}

const seen = (path: string): Outcome => ({ status: 200, path, location: '' })
const refused = (status: number): Outcome => ({ status, path: '', location: '' })
const sentTo = (path: string): Outcome => ({ status: 307, path: '', location: `http://h:1${path}` })

test.each<[Setting, string, Outcome]>([
  ['plain', '/a/../admin', refused(403)],
  ['plain', '/a/%2e%2e/admin', refused(403)],
  ['plain', '/a/%2E./admin', refused(403)],
  ['plain', '/a/./../admin', refused(403)],
  ['plain', '/%61dmin', refused(403)],
  ['plain', '/a\\..\\admin', refused(403)],
  ['plain', '//admin', refused(403)],
  ['plain', '///admin', refused(403)],
  ['plain', '/./admin', refused(403)],
  ['plain', '/a//../admin', seen('/a/admin')],
  ['plain', '/..', refused(400)],
  ['plain', '/../admin', refused(400)],
  ['plain', '/%2e%2e/admin', refused(400)],
  ['plain', '/a/../../admin', refused(400)],
  ['plain', '/a%00', refused(400)],
  ['plain', '/a%00/../admin', refused(400)],
  ['plain', '/a?b=%00', seen('/a?b=%00')],
  ['plain', '/a?b=/../admin', seen('/a?b=/../admin')],
  // Escaped twice, undone once.
  ['plain', '/a/%252e%252e/admin', seen('/a/%252e%252e/admin')],
  ['plain', '/a/..%2fadmin', seen('/a/..%2Fadmin')],
  ['plain', '/a/..%5cadmin', seen('/a/..%5Cadmin')],
  ['plain', '/a%2Fb', seen('/a%2Fb')],
  // A parameter is part of its segment: neither the routes nor the upstream are shown another path.
  ['plain', '/a/..;/admin', seen('/a/..;/admin')],
  ['plain', '/a/..;x=y/admin', seen('/a/..;x=y/admin')],
  ['plain', '/a;v=1/../admin', refused(403)],
  ['plain', '/a;/../admin;x', refused(403)],
  ['plain', '/.;/admin', seen('/.;/admin')],
  ['plain', '/ad%6din;x', refused(403)],
  ['plain', '/%u002e', seen('/%u002e')],
  ['plain', '/%zz', seen('/%zz')],
  ['plain', '/a/.', seen('/a/')],
  ['plain', '/a/..', seen('/')],
  ['plain', '/*', seen('/*')],

  ['reject', '/a%2Fb', refused(400)],
  ['reject', '/a%2fb', refused(400)],
  ['reject', '/a%5Cb', refused(400)],
  ['reject', '/a%5cb', refused(400)],
  ['reject', '/a%252fb', seen('/a%252fb')],
  ['reject', '/a?b=%2f', seen('/a?b=%2f')],

  ['unescape', '/a/..%2fadmin', refused(403)],
  ['unescape', '/a%2f..%2fadmin', refused(403)],
  ['unescape', '/a%5c..%5cadmin', refused(403)],
  ['unescape', '/%2fadmin', refused(403)],
  ['unescape', '/%2f..%2f..', refused(400)],
  ['unescape', '/a%2fb?c=%2f', seen('/a/b?c=%2f')],
  ['unescape', '/a%252fb', seen('/a%252fb')],

  ['redirect', '/a%2fb?c=%2f', sentTo('/a/b?c=%2f')],
  ['redirect', '/a%5cb', sentTo('/a/b')],
  ['redirect', '/a/..%2fadmin', sentTo('/admin')],
  ['redirect', '/%2fevil.example', sentTo('/evil.example')],
  ['redirect', '/%2f..', sentTo('/')],
  ['redirect', '/..%2f..', refused(400)],
  ['redirect', '/a?b=%2f', seen('/a?b=%2f')],

  ['raw', '/a/../admin', seen('/a/../admin')],
  ['raw', '//admin', seen('//admin')],
  ['raw', '/%61dmin', seen('/%61dmin')],
  ['raw', '/a%00', refused(400)],
])('%s: %s', async (setting, path, outcome) => {
  expect(await ask(setting, path)).toEqual(outcome)
})

test('a redirect of slashes is an error for gRPC', async () => {
  const request = 'POST /a%2fb HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc\r\nConnection: close\r\n\r\n'
  const { text } = await converse((proxies.get('redirect') as StaticProxy).port, [request])
  expect(statuses(text)).toEqual([200])
  expect(text).toMatch(/\r\ngrpc-status: 13\r\n/)
  expect(text).not.toMatch(/\r\nlocation:/i)
})
