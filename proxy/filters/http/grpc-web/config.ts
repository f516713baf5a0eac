import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { GrpcWebSchema } from '../../../../api/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.js'
import { refuse } from '../../../plan/plan-error.ts'

/** envoy.extensions.filters.http.grpc_web.v3.GrpcWeb says only that the filter is there. */
export function compileGrpcWeb(any: Any, path: string): undefined {
  if (anyUnpack(any, GrpcWebSchema) === undefined) refuse(path, 'is not a GrpcWeb')
  return undefined
}
