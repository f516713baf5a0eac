import { type Static, Type } from '@sinclair/typebox'
import { mapOf, message, oneOf } from '../schema.ts'
import { MatchLabelsSelector } from './common.ts'
import { body } from './object.ts'

export const MutualTLS = message({ mode: Type.Optional(oneOf(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'])) })
export type MutualTLS = Static<typeof MutualTLS>

export const PeerAuthenticationSpec = message(
  {
    selector: Type.Optional(MatchLabelsSelector),
    mtls: Type.Optional(MutualTLS),
    portLevelMtls: Type.Optional(mapOf(MutualTLS, "By port of the workload, which is a service's target port.")),
  },
  'Whether workloads take calls by mutual TLS, in plain text, or both.',
)
export type PeerAuthenticationSpec = Static<typeof PeerAuthenticationSpec>

export const PeerAuthenticationBody = body(PeerAuthenticationSpec)
export type PeerAuthenticationBody = Static<typeof PeerAuthenticationBody>
