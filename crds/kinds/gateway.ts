import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { deprecated, message, oneOf, stringMap, strings, uint32, unsupported } from '../schema.ts'
import { body } from './object.ts'

const TLS_PROTOCOLS = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'] as const

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

const notYet = <T extends TSchema>(schema: T) => Type.Optional(unsupported(schema, 'TLS is not honoured yet'))

export const ServerTLSSettings = message({
  httpsRedirect: Type.Optional(Type.Boolean({ description: 'Answers plain HTTP with a redirect to https.' })),
  mode: notYet(oneOf(['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'])),
  serverCertificate: notYet(Type.String()),
  privateKey: notYet(Type.String()),
  caCertificates: notYet(Type.String()),
  caCrl: notYet(Type.String()),
  credentialName: notYet(Type.String()),
  credentialNames: notYet(Type.Array(Type.String(), { maxItems: 2 })),
  caCertCredentialName: notYet(Type.String()),
  tlsCertificates: notYet(Type.Array(TLSCertificate, { maxItems: 2 })),
  subjectAltNames: notYet(strings()),
  verifyCertificateSpki: notYet(strings()),
  verifyCertificateHash: notYet(strings()),
  minProtocolVersion: notYet(oneOf(TLS_PROTOCOLS)),
  maxProtocolVersion: notYet(oneOf(TLS_PROTOCOLS)),
  cipherSuites: notYet(strings()),
  insecureSkipVerify: notYet(Type.Boolean()),
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
