import { type Static, Type } from '@sinclair/typebox'
import { deprecated, message, oneOf, stringMap, strings, uint32, unsupported } from '../schema.ts'
import { body } from './object.ts'

const TLS_PROTOCOLS = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'] as const

/** What a server may be told to take (Istio's list; those of TLS 1.3 are not chosen from). */
const CIPHER_SUITES: ReadonlySet<string> = new Set(
  [
    'ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES256-SHA ECDHE-RSA-AES256-SHA ECDHE-ECDSA-AES128-SHA ECDHE-RSA-AES128-SHA',
    'AES256-GCM-SHA384 AES128-GCM-SHA256 AES256-SHA AES128-SHA DES-CBC3-SHA',
  ].flatMap((names) => names.split(' ')),
)

export function isCipherSuite(name: string): boolean {
  return CIPHER_SUITES.has(name)
}

/** A port of a Gateway's server. */
export const Port = message({
  number: uint32(),
  protocol: Type.String(),
  name: Type.String(),
  targetPort: Type.Optional(deprecated(uint32(), 'it has no effect')),
})
export type Port = Static<typeof Port>

const TLSCertificate = message({
  serverCertificate: Type.Optional(Type.String()),
  privateKey: Type.Optional(Type.String()),
  caCertificates: Type.Optional(Type.String()),
})

export const ServerTLSSettings = message({
  httpsRedirect: Type.Optional(Type.Boolean({ description: 'Answers plain HTTP with a redirect to https.' })),
  mode: Type.Optional(
    oneOf(['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL']),
  ),
  serverCertificate: Type.Optional(Type.String()),
  privateKey: Type.Optional(Type.String()),
  caCertificates: Type.Optional(Type.String()),
  caCrl: Type.Optional(Type.String()),
  credentialName: Type.Optional(Type.String({ description: "A Secret of the gateway's namespace." })),
  credentialNames: Type.Optional(
    Type.Array(Type.String(), { maxItems: 2, description: 'One of RSA and one of ECDSA perhaps.' }),
  ),
  caCertCredentialName: Type.Optional(Type.String({ description: 'The Secret with the roots of clients.' })),
  tlsCertificates: Type.Optional(Type.Array(TLSCertificate, { maxItems: 2 })),
  subjectAltNames: Type.Optional(strings()),
  verifyCertificateSpki: Type.Optional(strings()),
  verifyCertificateHash: Type.Optional(strings()),
  minProtocolVersion: Type.Optional(oneOf(TLS_PROTOCOLS)),
  maxProtocolVersion: Type.Optional(oneOf(TLS_PROTOCOLS)),
  cipherSuites: Type.Optional(strings()),
  insecureSkipVerify: Type.Optional(unsupported(Type.Boolean(), 'clients are always verified where they are asked')),
})
export type ServerTLSSettings = Static<typeof ServerTLSSettings>

export const Server = message({
  port: Port,
  bind: Type.Optional(Type.String()),
  hosts: Type.Array(Type.String(), { minItems: 1, description: 'namespace/host or host.' }),
  tls: Type.Optional(ServerTLSSettings),
  defaultEndpoint: Type.Optional(unsupported(Type.String(), 'it is not implemented, as in Istio')),
  name: Type.Optional(Type.String()),
})
export type Server = Static<typeof Server>

export const GatewaySpec = message(
  {
    servers: Type.Optional(Type.Array(Server)),
    selector: Type.Optional(stringMap('Labels of the gateway workloads, in all namespaces. Empty: every proxy.')),
  },
  'The ports that gateway workloads open, and for which hosts.',
)
export type GatewaySpec = Static<typeof GatewaySpec>

export const GatewayBody = body(GatewaySpec)
export type GatewayBody = Static<typeof GatewayBody>
