import { toBinary } from '@bufbuild/protobuf'
import {
  type RateLimitResponse,
  RateLimitResponseSchema,
} from '../../../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import { grpcFrame } from '../../../stream/grpc-message.ts'
import { HeaderBlock } from '../../../stream/header-block.ts'
import type { SideRequest, SideResult } from '../../../stream/side-call.ts'
import { WANTED_FIELD } from './quota-table.ts'

/** For tests of quotas that are granted ahead: a question that says nothing but how many calls are wanted. */
export function requestFor(wanted: number): SideRequest {
  return {
    cluster: '',
    method: 'POST',
    authority: '',
    path: '',
    headers: [[WANTED_FIELD, String(wanted)]],
    body: undefined,
    timeoutMs: 0,
    maxResponseBytes: 0,
  }
}

/** As a server says it. */
export function answerOf(response: RateLimitResponse): SideResult {
  const body = grpcFrame(toBinary(RateLimitResponseSchema, response))
  return { kind: 'answered', status: 200, fields: new HeaderBlock(), body, trailers: 'grpc-status: 0\r\n' }
}
