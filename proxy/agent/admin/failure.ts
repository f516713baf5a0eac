import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { UpdateFailureStateSchema } from '../../../api/gen/envoy/admin/v3/config_dump_shared_pb.js'
import type { RejectedResource } from '../../xds/resource-cache.ts'

/** Why the newest version of a resource was refused (envoy.admin.v3.UpdateFailureState); undefined when it was not. */
export function failure(
  rejected: RejectedResource | undefined,
): MessageInitShape<typeof UpdateFailureStateSchema> | undefined {
  if (rejected === undefined) return undefined
  return {
    details: `${rejected.name}: ${rejected.reason}`,
    versionInfo: rejected.version,
    lastUpdateAttempt: timestampFromMs(rejected.atMs),
  }
}
