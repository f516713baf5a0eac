import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { StaticProxy } from '../../support/static-proxy.ts'

const TYPES = 'type.googleapis.com/envoy.extensions.access_loggers'

test('calls are written to a file, those that a filter finds to another', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'access-logs-'))
  const [all, errors] = [join(dir, 'all'), join(dir, 'errors')]
  const file = (path: string, text: string) => ({
    '@type': `${TYPES}.file.v3.FileAccessLog`,
    path,
    log_format: { text_format_source: { inline_string: text } },
  })
  const expression = { '@type': `${TYPES}.filters.cel.v3.ExpressionFilter`, expression: 'response.code >= 400' }
  const direct = (path: string, status: number) => ({ match: { path }, direct_response: { status } })
  const options = {
    upstreams: [1],
    manager: {
      access_log: [
        { name: 'all', typed_config: file(all, '%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%\n') },
        {
          name: 'errors',
          filter: { extension_filter: { name: 'cel', typed_config: expression } },
          typed_config: file(errors, '%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n'),
        },
      ],
      route_config: {
        name: 'r',
        virtual_hosts: [{ name: 'v', domains: ['*'], routes: [direct('/ok', 200), direct('/bad', 500)] }],
      },
    },
  }
  const proxy = await StaticProxy.start(options)
  try {
    for (const path of ['/ok', '/bad', '/nowhere']) {
      await (await fetch(`http://127.0.0.1:${proxy.port}${path}`)).arrayBuffer()
    }
  } finally {
    await proxy.stop()
  }
  expect(readFileSync(all, 'latin1')).toBe('/ok 200 -\n/bad 500 -\n/nowhere 404 NR\n')
  expect(readFileSync(errors, 'latin1')).toBe('500 direct_response\n404 route_not_found\n')
})
