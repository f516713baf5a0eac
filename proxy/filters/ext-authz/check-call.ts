import { fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  type CheckRequest,
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
} from '../../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import type { SideRequest, SideResult } from '../../stream/side-call.ts'
import { grpcCall, grpcMessage } from '../grpc-call.ts'
import type { GrpcServicePlan } from './grpc-service.ts'

const CHECK = '/envoy.service.auth.v3.Authorization/Check'

/** envoy.service.auth.v3.Authorization/Check. */
export function checkCall(service: GrpcServicePlan, request: CheckRequest): SideRequest {
  return grpcCall(service, CHECK, toBinary(CheckRequestSchema, request))
}

/** undefined for everything that is no answer. */
export function readCheckResponse(result: SideResult): CheckResponse | undefined {
  const message = grpcMessage(result)
  if (message === undefined) return undefined
  try {
    return fromBinary(CheckResponseSchema, message)
  } catch {
    return undefined
  }
}

export function isAllowed({ status }: CheckResponse): boolean {
  return (status?.code ?? 0) === 0
}
