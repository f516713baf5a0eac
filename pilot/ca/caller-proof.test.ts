import { Metadata } from '@grpc/grpc-js'
import { expect, test } from '@jest/globals'
import { spiffeId } from '../../api/spiffe.ts'
import { ManualClock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'
import { CallerProof, type Connection } from './caller-proof.ts'

const NOW_MS = Date.parse('2026-01-02T00:00:00Z')
const reviews = spiffeId('cluster.local', 'default', 'reviews')
const proof = new CallerProof({
  callers: [{ identify: async (token) => (token === 'good' ? reviews : undefined) }],
  trustDomain: 'cluster.local',
  clock: new ManualClock(NOW_MS),
})

function prove(authorization: readonly string[], connection: Connection = {}): Promise<string> {
  const metadata = new Metadata()
  for (const value of authorization) metadata.add('authorization', value)
  return proof.prove(metadata, connection).then(
    ({ identity, by }) => `${by} ${identity.namespace}/${identity.serviceAccount}`,
    (thrown: unknown) => (thrown instanceof MeshError ? thrown.code : 'a bug'),
  )
}

function shown(subjectaltname: string | undefined, more: object = {}): Connection {
  const life = { valid_from: 'Jan  1 00:00:00 2026 GMT', valid_to: 'Jan  3 00:00:00 2026 GMT' }
  return { sslPeerCertificate: { subjectaltname, ...life, ...more } as Connection['sslPeerCertificate'] }
}

const OWN = 'URI:spiffe://cluster.local/ns/default/sa/reviews'

test.each<[string, readonly string[], Connection | undefined, string]>([
  ['nothing', [], undefined, 'CALLER_UNKNOWN'],
  ['a token', ['Bearer good'], undefined, 'token default/reviews'],
  ['a token, whatever the certificate', ['Bearer good'], shown('DNS:a'), 'token default/reviews'],
  ['a token of nobody', ['Bearer bad'], shown(OWN), 'CALLER_UNKNOWN'],
  ['two tokens', ['Bearer good', 'Bearer good'], undefined, 'CALLER_UNKNOWN'],
  ['another scheme', ['Basic good'], undefined, 'CALLER_UNKNOWN'],
  ['a token without end', [`Bearer ${'a'.repeat(20_000)}`], undefined, 'CALLER_UNKNOWN'],
  ['a certificate', [], shown(OWN), 'certificate default/reviews'],
  ['a certificate of a server', [], shown('DNS:istiod.istio-system.svc'), 'CALLER_UNKNOWN'],
  ['a certificate without a name', [], shown(undefined), 'CALLER_UNKNOWN'],
  ['a certificate with two names', [], shown(`${OWN}, DNS:a`), 'CALLER_UNKNOWN'],
  ['a name that looks like two', [], shown(`DNS:"a, ${OWN}"`), 'CALLER_UNKNOWN'],
  ['another mesh', [], shown('URI:spiffe://other/ns/default/sa/reviews'), 'CALLER_UNKNOWN'],
  ['no such id', [], shown('URI:spiffe://cluster.local/ns/default'), 'CALLER_UNKNOWN'],
  ['what has ended', [], shown(OWN, { valid_to: 'Jan  1 12:00:00 2026 GMT' }), 'CALLER_UNKNOWN'],
  ['what has not begun', [], shown(OWN, { valid_from: 'Jan  2 12:00:00 2026 GMT' }), 'CALLER_UNKNOWN'],
  ['dates that are none', [], shown(OWN, { valid_to: 'never' }), 'CALLER_UNKNOWN'],
])('%s', async (_what, authorization, connection, expected) => {
  expect(await prove(authorization, connection)).toBe(expected)
})
