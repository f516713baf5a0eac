import { create, type JsonObject } from '@bufbuild/protobuf'
import { AttributeContextSchema } from '../../../../api/gen/envoy/service/auth/v3/attribute_context_pb.js'
import { CheckRequestSchema } from '../../../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import type { ConnectionFacts } from '../../../decide/connection-facts.ts'
import type { SideRequest, SideResult } from '../../../stream/side-call.ts'
import { checkCall, isAllowed, readCheckResponse } from '../../ext-authz/check-call.ts'
import { destinationPeer, sourcePeer } from '../../ext-authz/peers.ts'
import type { NetworkExtAuthzPlan } from './config.ts'

/** What a server has said of a connection. */
export interface ConnectionAnswer {
  readonly result: 'ok' | 'denied' | 'error'
  readonly metadata: JsonObject | undefined
}

/** What a server is told of a connection: its two ends, and nothing of its bytes. */
export function connectionCheck(plan: NetworkExtAuthzPlan, facts: ConnectionFacts): SideRequest {
  const attributes = create(AttributeContextSchema, {
    source: sourcePeer(facts, plan.includePeerCertificate),
    destination: destinationPeer(facts),
  })
  return checkCall(plan.service, create(CheckRequestSchema, { attributes }))
}

export function readConnectionAnswer(side: SideResult): ConnectionAnswer {
  const response = readCheckResponse(side)
  if (response === undefined) return { result: 'error', metadata: undefined }
  return { result: isAllowed(response) ? 'ok' : 'denied', metadata: response.dynamicMetadata }
}
