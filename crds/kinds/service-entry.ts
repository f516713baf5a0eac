import { type Static, Type } from '@sinclair/typebox'
import { message, oneOf, strings, uint32, unsupported, unsupportedValues } from '../schema.ts'
import { exportTo, WorkloadSelector } from './common.ts'
import { body } from './object.ts'
import { WorkloadEntrySpec } from './workload-entry.ts'

export { WorkloadSelector } from './common.ts'

export const ServicePort = message({
  number: uint32(),
  protocol: Type.Optional(Type.String()),
  name: Type.String(),
  targetPort: Type.Optional(uint32()),
})
export type ServicePort = Static<typeof ServicePort>

export const ServiceEntrySpec = message(
  {
    hosts: Type.Array(Type.String(), { minItems: 1, maxItems: 256 }),
    addresses: Type.Optional(strings('Virtual IP addresses or CIDR prefixes.')),
    ports: Type.Optional(Type.Array(ServicePort)),
    location: Type.Optional(oneOf(['MESH_EXTERNAL', 'MESH_INTERNAL'])),
    resolution: Type.Optional(
      unsupportedValues(oneOf(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS']), {
        DYNAMIC_DNS: 'dynamic resolution is not honoured yet',
      }),
    ),
    endpoints: Type.Optional(Type.Array(WorkloadEntrySpec, { maxItems: 4096 })),
    workloadSelector: Type.Optional(WorkloadSelector),
    exportTo: Type.Optional(exportTo()),
    subjectAltNames: Type.Optional(unsupported(strings(), 'TLS is not honoured yet')),
  },
  'Adds hosts to the registry of services.',
)
export type ServiceEntrySpec = Static<typeof ServiceEntrySpec>

export const ServiceEntryBody = body(ServiceEntrySpec)
export type ServiceEntryBody = Static<typeof ServiceEntryBody>
