import { GRPC_CODES } from '../../../api/grpc-codes.ts'
import { GRPC_RETRY_CONDITIONS, HTTP_RETRY_CONDITIONS } from '../../../api/retry-conditions.ts'
import { parseDurationMs } from '../../../crds/duration.ts'
import type { CorsPolicy, HTTPFaultInjection, HTTPRetry, Percent } from '../../../crds/kinds/virtual-service.ts'
import { isHeaderName } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { didYouMean } from '../suggest.ts'
import { checkStringMatch } from './common.ts'

const RETRY_CONDITIONS: readonly string[] = [...HTTP_RETRY_CONDITIONS, ...GRPC_RETRY_CONDITIONS]

export function checkRetries(retries: HTTPRetry, path: FieldPath, report: Report): void {
  if (retries.attempts === 0) {
    for (const field of ['perTryTimeout', 'retryOn', 'backoff'] as const) {
      if (retries[field] !== undefined) report.error([...path, field], 'has no meaning when attempts is 0')
    }
  }
  for (const word of (retries.retryOn ?? '').split(',')) {
    const condition = word.trim()
    if (condition === '' || RETRY_CONDITIONS.includes(condition)) continue
    const at = [...path, 'retryOn']
    if (!/^\d+$/.test(condition)) {
      report.error(at, `"${condition}" is no retry condition${didYouMean(condition, RETRY_CONDITIONS)}`)
    } else if (Number(condition) < 100 || Number(condition) > 599) report.error(at, `${condition} is no status code`)
  }
}

const SMALLEST_PERCENT = 0.0001

export function checkFault(fault: HTTPFaultInjection, path: FieldPath, report: Report): void {
  const { delay, abort } = fault
  if (delay === undefined && abort === undefined) report.error(path, 'needs a delay or an abort')
  if (delay !== undefined) {
    const at = [...path, 'delay']
    if (delay.fixedDelay === undefined) report.error([...at, 'fixedDelay'], 'must be given')
    if (delay.percent !== undefined && delay.percent > 100) report.error([...at, 'percent'], 'must be at most 100')
    checkFaultPercentage(delay.percentage, delay.percent, at, report)
  }
  if (abort === undefined) return
  const at = [...path, 'abort']
  const given = (['httpStatus', 'grpcStatus', 'http2Error'] as const).filter((field) => abort[field] !== undefined)
  if (given.length !== 1) report.error(at, 'needs exactly one of httpStatus and grpcStatus')
  const { httpStatus, grpcStatus } = abort
  if (httpStatus !== undefined && (httpStatus < 200 || httpStatus > 599)) {
    report.error([...at, 'httpStatus'], `must be from 200 to 599, found ${httpStatus}`)
  }
  if (grpcStatus !== undefined && !GRPC_CODES.includes(grpcStatus)) {
    report.error([...at, 'grpcStatus'], `"${grpcStatus}" is no gRPC code${didYouMean(grpcStatus, GRPC_CODES)}`)
  }
  checkFaultPercentage(abort.percentage, undefined, at, report)
}

function checkFaultPercentage(
  percentage: Percent | undefined,
  oldPercent: number | undefined,
  path: FieldPath,
  report: Report,
): void {
  const value = percentage?.value
  if (value !== undefined && value > 0 && value < SMALLEST_PERCENT) {
    report.error([...path, 'percentage', 'value'], `must be 0 or at least ${SMALLEST_PERCENT}, found ${value}`)
  }
  if (value === undefined && oldPercent === undefined) {
    report.warning([...path, 'percentage'], 'is not given, so the fault never happens')
  }
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', '*']

export function checkCors(policy: CorsPolicy, path: FieldPath, report: Report): void {
  policy.allowOrigins?.forEach((origin, index) => {
    checkStringMatch(origin, [...path, 'allowOrigins', index], report)
  })
  policy.allowMethods?.forEach((method, index) => {
    if (!METHODS.includes(method)) {
      report.error([...path, 'allowMethods', index], `"${method}" is no HTTP method${didYouMean(method, METHODS)}`)
    }
  })
  for (const field of ['allowHeaders', 'exposeHeaders'] as const) {
    policy[field]?.forEach((name, index) => {
      if (!isHeaderName(name)) report.error([...path, field, index], `"${name}" is no header name`)
    })
  }
  if (policy.maxAge !== undefined && (parseDurationMs(policy.maxAge) ?? 0) % 1000 !== 0) {
    report.error([...path, 'maxAge'], 'must be whole seconds')
  }
}
