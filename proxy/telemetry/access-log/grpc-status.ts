import { GRPC_CODES } from '../../../api/grpc-codes.ts'
import type { CallRecord } from '../call-record.ts'
import { trailerField } from '../trailer-field.ts'

/** The codes of gRPC in order (gRPC, "Status codes"), as Envoy writes them. */
const CAMEL = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
]
/** By the styles of %GRPC_STATUS(..)%. */
export const GRPC_NAMES: Readonly<Record<string, readonly string[]>> = { CAMEL_STRING: CAMEL, SNAKE_STRING: GRPC_CODES }

/** What a call came to by its trailers, or by its head; undefined for what is none of gRPC. Needs `grpc-status` of answers. */
export function grpcStatusOf(record: CallRecord): number | undefined {
  if (!isGrpcType(record.head.get('content-type'))) return undefined
  const text = trailerField(record.trailers, 'grpc-status') ?? record.responseField('grpc-status')
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

function isGrpcType(type: string | undefined): boolean {
  return type?.startsWith('application/grpc') === true
}
