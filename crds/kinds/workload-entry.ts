import { type Static, Type } from '@sinclair/typebox'
import { mapOf, message, portNumber, stringMap, uint32, unsupported } from '../schema.ts'
import { body } from './object.ts'

export const WorkloadEntrySpec = message(
  {
    address: Type.Optional(Type.String({ description: 'IP address, host name, or unix:// with an absolute path.' })),
    ports: Type.Optional(mapOf(portNumber(), 'By name of the port.')),
    labels: Type.Optional(stringMap()),
    network: Type.Optional(unsupported(Type.String(), 'networks are not honoured yet')),
    locality: Type.Optional(Type.String({ description: 'region/zone/subzone' })),
    weight: Type.Optional(uint32('0 means 1.')),
    serviceAccount: Type.Optional(Type.String()),
  },
  'One workload outside Kubernetes.',
)
export type WorkloadEntrySpec = Static<typeof WorkloadEntrySpec>

export const WorkloadEntryBody = body(WorkloadEntrySpec)
export type WorkloadEntryBody = Static<typeof WorkloadEntryBody>
