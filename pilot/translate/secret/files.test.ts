import { toJson } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { canBeNamed, certificateFileName, fileSecret, rootsFileName } from './files.ts'

const json = (name: string) => {
  const secret = fileSecret(name)
  return secret && toJson(SecretSchema, secret)
}

test('a certificate and its key, with the directory that both are in', () => {
  expect(json(certificateFileName('/etc/certs/a.pem', '/etc/certs/a.key'))).toEqual({
    name: 'file-cert:/etc/certs/a.pem~/etc/certs/a.key',
    tlsCertificate: {
      certificateChain: { filename: '/etc/certs/a.pem' },
      privateKey: { filename: '/etc/certs/a.key' },
      watchedDirectory: { path: '/etc/certs' },
    },
  })
})

test('of two directories none is named: each is watched where there is none', () => {
  expect(json(certificateFileName('/a/a.pem', '/b/a.key'))).not.toHaveProperty('tlsCertificate.watchedDirectory')
  expect(json(rootsFileName('/a/roots.pem', '/b/revoked.pem'))).toEqual({
    name: 'file-root:/a/roots.pem~/b/revoked.pem',
    validationContext: { trustedCa: { filename: '/a/roots.pem' }, crl: { filename: '/b/revoked.pem' } },
  })
})

test('roots alone', () => {
  expect(json(rootsFileName('/a/roots.pem', ''))).toEqual({
    name: 'file-root:/a/roots.pem',
    validationContext: { trustedCa: { filename: '/a/roots.pem' }, watchedDirectory: { path: '/a' } },
  })
})

test.each([
  '',
  'default',
  'file-cert:',
  'file-cert:/a',
  'file-cert:/a~',
  'file-cert:/a~/b~/c',
  'file-root:',
  'file-root:/a~',
  'file-root:/a~/b~/c',
])('nothing is called %s', (name) => expect(fileSecret(name)).toBeUndefined())

test('a path with what separates paths cannot be named', () => {
  expect([canBeNamed('/a', ''), canBeNamed('/a', '/b~c')]).toEqual([true, false])
})
