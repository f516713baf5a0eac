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
import { GRPC_CODES } from '../../../api/grpc-codes.ts'
import type { HTTPFaultInjection } from '../../../crds/kinds/virtual-service.ts'
import { durationOf } from '../messages.ts'
import { fractionalPercent, wholePercent } from '../percent.ts'

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
  const status = GRPC_CODES.indexOf(abort.grpcStatus ?? '')
  if (status < 0) return undefined
  return create(FaultAbortSchema, { errorType: { case: 'grpcStatus', value: status }, percentage })
}
