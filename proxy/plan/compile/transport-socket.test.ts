import { afterAll, expect, test } from '@jest/globals'
import { TestCa } from '../../../test/support/certificates.ts'
import { NO_SECRETS, type SecretPlan } from '../secret-plan.ts'
import { clusterPlan, listenerPlan, secretPlan, tcpChain, typed } from '../testing.ts'

const ca = new TestCa('compile')
afterAll(() => ca.remove())
const leaf = ca.issue('a.example')
const other = ca.issue('b.example')
const certificate = (issued = leaf) => ({
  certificateChain: { filename: issued.certFile },
  privateKey: { inlineString: issued.key },
})
const TRUST = { trustedCa: { filename: ca.certFile } }

function downstream(common: object, fields: object = {}) {
  const config = typed('transport_sockets.tls.v3.DownstreamTlsContext', { commonTlsContext: common, ...fields })
  const plan = listenerPlan({
    filterChains: [tcpChain('c', { transportSocket: { name: 'tls', typedConfig: config } })],
  })
  const tls = plan.filterChains[0]?.tls?.of(NO_SECRETS)
  if (tls?.acceptors === undefined) throw new Error('no TLS')
  return { plan, tls: { ...tls, acceptors: tls.acceptors } }
}

function upstream(common: object, fields: object = {}, cluster: object = {}) {
  const config = typed('transport_sockets.tls.v3.UpstreamTlsContext', { commonTlsContext: common, ...fields })
  const plan = clusterPlan({ transportSocket: { name: 'tls', typedConfig: config }, ...cluster })
  if (plan.tls === undefined) throw new Error('no TLS')
  return { plan, tls: plan.tls.of(NO_SECRETS) }
}

test('what is alike is built once and shared', () => {
  const first = downstream({ tlsCertificates: [certificate()], alpnProtocols: ['h2'] }).tls.acceptors.fallback
  expect(downstream({ tlsCertificates: [certificate()], alpnProtocols: ['h2'] }).tls.acceptors.fallback).toBe(first)
  expect(downstream({ tlsCertificates: [certificate()] }).tls.acceptors.fallback).not.toBe(first)
  expect(downstream({ tlsCertificates: [certificate(other)], alpnProtocols: ['h2'] }).tls.acceptors.fallback).not.toBe(
    first,
  )
  const context = upstream({ validationContext: TRUST }, { sni: 'a' }).tls.context
  expect(upstream({ validationContext: TRUST }, { sni: 'b' }).tls.context).toBe(context)
  expect(upstream({}).tls.context).not.toBe(context)
})

test('a downstream context says what it asks of clients', () => {
  const { tls, plan } = downstream(
    {
      tlsCertificates: [certificate()],
      validationContext: { ...TRUST, verifyCertificateHash: [':AB'.repeat(32).slice(1)] },
    },
    { requireClientCertificate: true, requireSni: true },
  )
  expect(tls).toMatchObject({ requiresClientCertificate: true, requiresServerName: true })
  expect(tls.peer).toMatchObject({ verifiesChain: true, certificateHashes: ['ab'.repeat(32)] })
  expect(plan.ignored).toEqual([])
  expect(downstream({ tlsCertificates: [certificate()] }).tls.peer).toBeUndefined()
  const untrusted = { ...TRUST, trustChainVerification: 'ACCEPT_UNTRUSTED' }
  expect(downstream({ tlsCertificates: [certificate()], validationContext: untrusted }).tls.peer?.verifiesChain).toBe(
    false,
  )
})

test('an upstream context says what it asks of servers', () => {
  const names = [
    { sanType: 'URI', matcher: { prefix: 'spiffe://mesh/' } },
    { sanType: 'DNS', matcher: { exact: 'x.a.example' } },
  ]
  const { tls } = upstream(
    { validationContext: { ...TRUST, matchTypedSubjectAltNames: names }, alpnProtocols: ['h2'] },
    { sni: 'a.example', maxSessionKeys: 0 },
  )
  expect(tls).toMatchObject({ serverName: 'a.example', alpnProtocols: ['h2'], maxSessionKeys: 0, autoSni: false })
  expect(tls.peer.names.map(({ type, matcher }) => [type, matcher.describe])).toEqual([
    ['uri', 'prefix "spiffe://mesh/"'],
    ['dns', 'exact "x.a.example"'],
  ])
  // A certificate's wildcard stands for the name.
  expect(tls.peer.names[1]?.matcher.test('*.a.example')).toBe(true)
  const none = upstream({}).tls
  expect([none.peer.verifiesChain, none.serverName, none.maxSessionKeys]).toEqual([false, '', 1])
})

test('names by request come from either place of the HTTP options', () => {
  const auto = { autoSni: true, autoSanValidation: true }
  const packed = { '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions' }
  const options = { ...packed, upstreamHttpProtocolOptions: auto, explicitHttpConfig: { httpProtocolOptions: {} } }
  const key = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  const { tls } = upstream({ validationContext: TRUST }, {}, { typedExtensionProtocolOptions: { [key]: options } })
  expect(tls).toMatchObject(auto)
  expect(upstream({ validationContext: TRUST }, {}, { upstreamHttpProtocolOptions: auto }).tls).toMatchObject(auto)
})

test('plain sockets are no TLS', () => {
  const raw = {
    name: 'envoy.transport_sockets.raw_buffer',
    typedConfig: typed('transport_sockets.raw_buffer.v3.RawBuffer'),
  }
  expect(clusterPlan({ transportSocket: raw }).tls).toBeUndefined()
  expect(clusterPlan({}).tls).toBeUndefined()
})

test('fields that are passed over are named', () => {
  const { plan } = downstream({
    tlsCertificates: [{ ...certificate(), ocspStaple: { inlineString: 'x' } }],
    keyLog: { path: '/x' },
  })
  expect([...plan.ignored].sort()).toEqual([
    'filter_chains.transport_socket.downstream_tls_context.common_tls_context.key_log',
    'filter_chains.transport_socket.downstream_tls_context.common_tls_context.tls_certificates.ocsp_staple',
  ])
})

const one = { tlsCertificates: [certificate()] }
const sds = { name: 'default', sdsConfig: { ads: {} } }
test.each([
  ['no certificate', {}, 'tls_certificates: is needed'],
  [
    'a file that is not there',
    { tlsCertificates: [{ ...certificate(), certificateChain: { filename: '/nowhere' } }] },
    'tls_certificates[0].certificate_chain.filename: ',
  ],
  [
    'a key of another certificate',
    { tlsCertificates: [{ ...certificate(), privateKey: { inlineString: other.key } }] },
    'key values mismatch',
  ],
  [
    'a certificate that is none',
    { tlsCertificates: [{ ...certificate(), certificateChain: { inlineString: 'x' } }] },
    'no start line',
  ],
  [
    'no key',
    { tlsCertificates: [{ certificateChain: { inlineString: leaf.cert } }] },
    'tls_certificates[0].private_key: is needed',
  ],
  ['ciphers that nobody knows', { ...one, tlsParams: { cipherSuites: ['NONE'] } }, 'common_tls_context: '],
  [
    'versions that cross',
    { ...one, tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_3', tlsMaximumProtocolVersion: 'TLSv1_2' } },
    'tls_params',
  ],
  [
    'certificates beside others by reference',
    { ...one, tlsCertificateSdsSecretConfigs: [sds] },
    'tls_certificate_sds_secret_configs: cannot stand beside tls_certificates',
  ],
  [
    'a reference without a name',
    { tlsCertificateSdsSecretConfigs: [{ sdsConfig: { ads: {} } }] },
    'tls_certificate_sds_secret_configs[0].name: is needed',
  ],
  [
    'combined trust with nothing to combine with',
    { ...one, combinedValidationContext: { defaultValidationContext: {} } },
    'combined_validation_context.validation_context_sds_secret_config: is needed',
  ],
  [
    'roots that are none',
    { ...one, validationContext: { trustedCa: { inlineString: 'roots' } } },
    'validation_context.trusted_ca: holds no certificate in PEM',
  ],
  [
    'names without trust',
    { ...one, validationContext: { matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact: 'a' } }] } },
    'names prove nothing without a trusted_ca',
  ],
  [
    'a hash that is none',
    { ...one, validationContext: { verifyCertificateHash: ['zz'.repeat(32)] } },
    'verify_certificate_hash[0]',
  ],
  [
    'expired certificates by wish',
    { ...one, validationContext: { ...TRUST, allowExpiredCertificate: true } },
    'allow_expired_certificate',
  ],
])('refuses %s', (_what, common, message) => {
  expect(() => downstream(common)).toThrow(message)
})

test('a context that refers to secrets is made when they are there, and anew only when one changed', () => {
  const common = {
    tlsCertificateSdsSecretConfigs: [{ ...sds, sdsConfig: { ads: {}, initialFetchTimeout: '2s' } }],
    validationContextSdsSecretConfig: { name: 'ROOTCA', sdsConfig: { ads: {} } },
  }
  const config = typed('transport_sockets.tls.v3.DownstreamTlsContext', { commonTlsContext: common })
  const chain = tcpChain('c', { transportSocket: { name: 'tls', typedConfig: config } })
  const plan = listenerPlan({ filterChains: [chain] })
  const tls = plan.filterChains[0]?.tls
  expect(plan.ignored).toEqual([])
  const at = 'filter_chains[0].transport_socket.typed_config.common_tls_context'
  expect(tls?.needs).toEqual([
    {
      key: 'ads default',
      name: 'default',
      kind: 'tls_certificate',
      source: { kind: 'ads' },
      fetchTimeoutMs: 2_000,
      path: `${at}.tls_certificate_sds_secret_configs[0]`,
    },
    {
      key: 'ads ROOTCA',
      name: 'ROOTCA',
      kind: 'validation_context',
      source: { kind: 'ads' },
      fetchTimeoutMs: 15_000,
      path: `${at}.validation_context_sds_secret_config`,
    },
  ])
  const secret = (issued: typeof leaf) => secretPlan({ name: 'default', tlsCertificate: certificate(issued) })
  const roots = secretPlan({ name: 'ROOTCA', validationContext: TRUST })
  const key = secret(leaf)
  const secrets = (one: SecretPlan) =>
    new Map([
      ['ads default', one],
      ['ads ROOTCA', roots],
    ])
  expect(tls?.of(new Map([['ads default', key]])).acceptors).toBeUndefined()
  const first = tls?.of(secrets(key))
  expect(first?.peer?.verifiesChain).toBe(true)
  expect(tls?.of(secrets(key))).toBe(first)
  const second = tls?.of(secrets(secret(other)))
  expect(second?.acceptors?.fallback).not.toBe(first?.acceptors?.fallback)
  expect(() => tls?.check(secrets(roots))).toThrow(
    `${at}.tls_certificate_sds_secret_configs[0]: secret ROOTCA is a validation_context, a tls_certificate is needed`,
  )
  expect(tls?.latest).toBe(second)
})

test('what is wrong with one secret, or with the context itself, is said without the others', () => {
  const names = { matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact: 'a' } }] }
  const combined = { defaultValidationContext: names, validationContextSdsSecretConfig: { ...sds, name: 'ROOTCA' } }
  const common = { tlsCertificateSdsSecretConfigs: [sds], combinedValidationContext: combined }
  const config = typed('transport_sockets.tls.v3.UpstreamTlsContext', { commonTlsContext: common })
  const { tls } = clusterPlan({ transportSocket: { name: 'tls', typedConfig: config } })
  const roots = (fields: object) => new Map([['ads ROOTCA', secretPlan({ name: 'ROOTCA', ...fields })]])
  expect(() => tls?.check(roots({ validationContext: {} }))).toThrow(/names prove nothing without a trusted_ca/)
  expect(() => tls?.check(roots({ tlsCertificate: certificate() }))).toThrow(/a validation_context is needed/)
  tls?.check(roots({ validationContext: TRUST }))
  const byReference = { tlsCertificateSdsSecretConfigs: [sds] }
  expect(() => downstream({ ...byReference, validationContext: names })).toThrow(/names prove nothing/)
  expect(() => downstream({ ...byReference, tlsParams: { cipherSuites: ['NONE'] } })).toThrow(/common_tls_context: /)
})

test('refuses upstream contexts that would verify less than they seem to', () => {
  const hash = { verifyCertificateHash: ['ab'.repeat(32)] }
  expect(() => upstream({ validationContext: hash })).toThrow(/hashes without a trusted_ca/)
  expect(() => upstream({}, {}, { upstreamHttpProtocolOptions: { autoSanValidation: true } })).toThrow(
    /needs a trusted_ca/,
  )
  expect(() => upstream({}, { allowRenegotiation: true })).toThrow(/allow_renegotiation/)
})
