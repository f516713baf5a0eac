import { expect, test } from '@jest/globals'
import { redact } from './redact.ts'

const gone = '[redacted]'
const bytes = Buffer.from(gone).toString('base64')

test('what is sensitive is gone, wherever it stands, and its shape stays', () => {
  const listener = {
    typed_config: {
      '@type': 'type.googleapis.com/x.Tls',
      session_ticket_keys: { keys: [{ inline_bytes: 'AAAA' }, { filename: '/keys' }] },
      common_tls_context: {
        tls_certificates: [
          {
            certificate_chain: { filename: '/chain.pem' },
            private_key: { filename: '/key.pem' },
            password: { inline_string: 'p' },
          },
          { pkcs12: { inline_bytes: 'AAAA' } },
          { private_key_provider: { provider_name: 'n', typed_config: { '@type': 't', deep: { secret: 's' } } } },
        ],
      },
    },
  }
  expect(redact({ configs: [listener, { generic_secret: { secret: { inline_string: 's' } } }] })).toEqual({
    configs: [
      {
        typed_config: {
          '@type': 'type.googleapis.com/x.Tls',
          session_ticket_keys: { keys: [{ inline_bytes: bytes }, { filename: gone }] },
          common_tls_context: {
            tls_certificates: [
              {
                certificate_chain: { filename: '/chain.pem' },
                private_key: { filename: gone },
                password: { inline_string: gone },
              },
              { pkcs12: { inline_bytes: bytes } },
              { private_key_provider: { provider_name: 'n', typed_config: { '@type': 't', deep: { secret: gone } } } },
            ],
          },
        },
      },
      { generic_secret: { secret: { inline_string: gone } } },
    ],
  })
})

test('alike names elsewhere are left alone', () => {
  const other = { node: { metadata: { secret: 's', keys: ['k'] } }, private_key: 'text' }
  expect(redact(structuredClone(other))).toEqual(other)
})

test('tokens that are sent with streams are hidden', () => {
  const service = {
    initial_metadata: [
      { key: 'Authorization', value: 'Bearer x' },
      { key: 'authorization', raw_value: 'eA==' },
      { key: 'tenant', value: 'a' },
    ],
    google_grpc: { call_credentials: [{ access_token: 'x' }, { service_account_jwt_access: { json_key: 'x' } }] },
  }
  expect(redact(service)).toEqual({
    initial_metadata: [
      { key: 'Authorization', value: gone },
      { key: 'authorization', raw_value: bytes },
      { key: 'tenant', value: 'a' },
    ],
    google_grpc: { call_credentials: [{ access_token: gone }, { service_account_jwt_access: { json_key: gone } }] },
  })
})
