import { create } from '@bufbuild/protobuf'
import {
  type FaultDelay,
  FaultDelaySchema,
} from '../../../api/gen/envoy/extensions/filters/common/fault/v3/fault_pb.js'
import {
  type FaultAbort,
  FaultAbortSchema,
  type HTTPFault,
  HTTPFaultSchema,
} from '../../../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import type { HTTPFaultInjection } from '../../../crds/kinds/virtual-service.ts'
import { durationOf } from '../messages.ts'
import { fractionalPercent, wholePercent } from '../percent.ts'

/** gRPC's status codes (grpc/doc/statuscodes.md). */
const GRPC_STATUS: Record<string, number> = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
}

/** A percentage that is not given is 0: the fault never happens. */
export function httpFault(fault: HTTPFaultInjection): HTTPFault | undefined {
  const delay = faultDelay(fault.delay)
  const abort = faultAbort(fault.abort)
  if (delay === undefined && abort === undefined) return undefined
  return create(HTTPFaultSchema, { ...(delay && { delay }), ...(abort && { abort }) })
}

function faultDelay(delay: HTTPFaultInjection['delay']): FaultDelay | undefined {
  const fixedDelay = durationOf(delay?.fixedDelay)
  if (delay === undefined || fixedDelay === undefined) return undefined
  const { percent, percentage } = delay
  return create(FaultDelaySchema, {
    faultDelaySecifier: { case: 'fixedDelay', value: fixedDelay },
    percentage:
      percentage === undefined && percent !== undefined ? wholePercent(percent) : fractionalPercent(percentage),
  })
}

function faultAbort(abort: HTTPFaultInjection['abort']): FaultAbort | undefined {
  if (abort === undefined) return undefined
  const percentage = fractionalPercent(abort.percentage)
  if (abort.httpStatus !== undefined && abort.httpStatus !== 0) {
    return create(FaultAbortSchema, { errorType: { case: 'httpStatus', value: abort.httpStatus }, percentage })
  }
  const status = GRPC_STATUS[abort.grpcStatus ?? '']
  if (status === undefined) return undefined
  return create(FaultAbortSchema, { errorType: { case: 'grpcStatus', value: status }, percentage })
}
