import { expect, test } from '@jest/globals'
import { parseBootstrap } from './bootstrap.ts'

const secret = (key: unknown) =>
  JSON.stringify({ static_resources: { secrets: [{ name: 'a', tls_certificate: { private_key: key } }] } })

test.each([
  ['is no YAML', 'a:\n  key: |\n    -----BEGIN words\n words\n', 'at line 4, column 1'],
  ['is a text', secret('words'), 'cannot decode message envoy.config.core.v3.DataSource from JSON'],
  [
    'is a list',
    secret({ inline_string: ['words'] }),
    'cannot decode field envoy.config.core.v3.DataSource.inline_string',
  ],
])('a bootstrap whose key %s is refused without showing it', (_what, text, message) => {
  let error = ''
  try {
    parseBootstrap(text, 'b.yaml')
  } catch (thrown) {
    error = String(thrown)
  }
  expect(error).toMatch(/BOOTSTRAP_INVALID: b.yaml: /)
  expect(error).toContain(message)
  expect(error).not.toContain('words')
})

test('what else is wrong is shown', () => {
  expect(() => parseBootstrap('{"node": {"id": 5}}', 'b.json')).toThrow(/node.*id.*5|id from JSON.*5/i)
})
