import { expect, test } from '@jest/globals'
import { clientCredentials, serverCredentials } from './uses.ts'

const short = (uses: ReturnType<typeof serverCredentials>) =>
  uses.map(({ secret, needs, path }) => `${needs} ${secret} ${path.join('.')}`)

test.each<[Parameters<typeof serverCredentials>[0], string[]]>([
  [undefined, []],
  [{ mode: 'PASSTHROUGH', credentialName: 'a' }, []],
  [{ mode: 'ISTIO_MUTUAL' }, []],
  [{ mode: 'SIMPLE', credentialName: 'a' }, ['certificate a credentialName']],
  [
    { mode: 'SIMPLE', credentialNames: ['rsa', 'ec'] },
    ['certificate rsa credentialNames.0', 'certificate ec credentialNames.1'],
  ],
  [{ mode: 'MUTUAL', credentialName: 'a' }, ['certificate a credentialName', 'roots a credentialName']],
  [{ mode: 'MUTUAL', credentialName: 'a', caCertificates: '/ca.pem' }, ['certificate a credentialName']],
  [
    { mode: 'OPTIONAL_MUTUAL', credentialName: 'a', caCertCredentialName: 'b' },
    ['certificate a credentialName', 'roots b caCertCredentialName'],
  ],
  [
    { mode: 'MUTUAL', serverCertificate: '/c', privateKey: '/k', caCertCredentialName: 'b' },
    ['roots b caCertCredentialName'],
  ],
])('a server %j', (tls, uses) => {
  expect(short(serverCredentials(tls))).toEqual(uses)
})

test.each<[Parameters<typeof clientCredentials>[0], string[]]>([
  [{ mode: 'SIMPLE' }, []],
  [{ mode: 'ISTIO_MUTUAL', credentialName: 'a' }, []],
  [{ mode: 'SIMPLE', credentialName: 'a' }, ['roots a credentialName']],
  [{ mode: 'SIMPLE', credentialName: 'a', insecureSkipVerify: true }, []],
  [{ mode: 'MUTUAL', credentialName: 'a' }, ['certificate a credentialName', 'roots a credentialName']],
])('a client %j', (tls, uses) => {
  expect(short(clientCredentials(tls))).toEqual(uses)
})
