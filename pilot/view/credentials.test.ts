import { fromBinary } from '@bufbuild/protobuf'
import { afterAll, expect, test } from '@jest/globals'
import { SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { spiffeId } from '../../api/spiffe.ts'
import { TYPE_URL } from '../../api/type-urls.ts'
import { TestCa } from '../../test/support/certificates.ts'
import { secretYaml } from '../../test/support/secret-yaml.ts'
import { node, publisherOf } from '../testing/mesh.ts'

const ca = new TestCa('a root')
afterAll(() => ca.remove())
const one = ca.issue('one.example')
const two = ca.issue('two.example')
const texts = ({ cert, key }: typeof one) => ({ 'tls.crt': cert, 'tls.key': key })

const { source, clock, publisher } = publisherOf({
  'one.yaml': secretYaml('one', { ...texts(one), 'ca.crt': ca.cert }),
  'two.yaml': secretYaml('two', texts(two)),
  'roots.yaml': secretYaml('two-cacert', { cacert: ca.cert, crl: 'REVOKED' }),
  'odd.yaml': secretYaml('odd', { 'tls.crt': one.cert, 'tls.key': two.key }),
  'bank.yaml': secretYaml('vault', texts(one), 'bank'),
})

const proven = { ...node(), proven: spiffeId('cluster.local', 'default', 'reviews') }
const unproven = node()
const get = (name: string, who: typeof unproven = proven) => publisher.viewFor(who).get(TYPE_URL.secret, name)
const why = (name: string, who: typeof unproven = proven) => publisher.viewFor(who).withheld(TYPE_URL.secret, name)

function secret(name: string) {
  const resource = get(name)
  const message = resource && fromBinary(SecretSchema, resource.bytes)
  const text = (source: { specifier: { value?: unknown } } | undefined) =>
    source === undefined ? undefined : Buffer.from(source.specifier.value as Uint8Array).toString()
  switch (message?.type.case) {
    case 'tlsCertificate':
      return [message.name, text(message.type.value.certificateChain), text(message.type.value.privateKey)]
    case 'validationContext':
      return [message.name, text(message.type.value.trustedCa), text(message.type.value.crl)]
    default:
      return undefined
  }
}

test('certificates and roots, of one Secret or of two', () => {
  expect(secret('kubernetes://one')).toEqual(['kubernetes://one', one.cert, one.key])
  expect(secret('kubernetes://one-cacert')).toEqual(['kubernetes://one-cacert', ca.cert, undefined])
  expect(secret('kubernetes://two-cacert')).toEqual(['kubernetes://two-cacert', ca.cert, 'REVOKED'])
  expect(why('kubernetes://one')).toBeUndefined()
})

test.each<[string, string, string]>([
  ['a Secret of another namespace', 'kubernetes://vault', 'namespace default has no Secret vault'],
  ['one that is asked for by its namespace', 'kubernetes://bank/vault', 'its own namespace only'],
  ['one whose key is another’s', 'kubernetes://odd', 'its key belongs to another certificate'],
  ['roots where there are none', 'kubernetes://odd-cacert', 'has no ca.crt'],
  ['what is no Secret', 'default', 'no such secret'],
  ['a file that is none', 'file-cert:/only-one', 'no such secret'],
])('%s is withheld, and it is known why', (_what, name, reason) => {
  expect(get(name)).toBeUndefined()
  expect(why(name)).toContain(reason)
})

test('who has proven nothing is given nothing, though its scope is the same', () => {
  expect(get('kubernetes://one', unproven as typeof proven)).toBeUndefined()
  expect(why('kubernetes://one', unproven)).toContain('over TLS only')
  expect(publisher.viewFor(proven).scope).toBe(publisher.viewFor(unproven).scope)
  expect(publisher.viewFor(proven).list(TYPE_URL.cluster)).toBe(publisher.viewFor(unproven).list(TYPE_URL.cluster))
  expect(publisher.viewFor({ ...node(), proven: proven.proven })).toBe(publisher.viewFor(proven))
})

test('who has proven another namespace than its node says is given that of the proof', () => {
  const banker = { ...node(), proven: spiffeId('cluster.local', 'bank', 'teller') }
  expect(get('kubernetes://one', banker)).toBeUndefined()
  expect(get('kubernetes://vault', banker)).toBeDefined()
})

test('no list holds secrets, and no page', () => {
  expect(publisher.viewFor(proven).list(TYPE_URL.secret)).toEqual([])
  expect(JSON.stringify([publisher.describe(proven), publisher.findings])).not.toContain('kubernetes://')
})

test('only a Secret that changed is another resource', () => {
  const [before, other] = [get('kubernetes://one'), get('kubernetes://two')]
  source.set('one.yaml', secretYaml('one', texts(two)))
  clock.advance(1_000)
  expect(get('kubernetes://two')).toBe(other)
  expect(get('kubernetes://one')?.version).not.toBe(before?.version)
  source.set('one.yaml', '')
  clock.advance(1_000)
  expect(get('kubernetes://one')).toBeUndefined()
})

test('the names of files are given to everyone: nothing else is in them', () => {
  for (const who of [proven, unproven])
    expect(get('file-root:/etc/roots.pem', who)?.name).toBe('file-root:/etc/roots.pem')
  expect(why('file-root:/etc/roots.pem', unproven)).toBeUndefined()
})
