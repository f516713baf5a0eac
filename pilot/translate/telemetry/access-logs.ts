import { create } from '@bufbuild/protobuf'
import { type AccessLog, AccessLogSchema } from '../../../api/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import { FileAccessLogSchema } from '../../../api/gen/envoy/extensions/access_loggers/file/v3/file_pb.js'
import type { ModeTelemetry } from '../../mesh/telemetry.ts'
import { any } from '../messages.ts'

const FILE_ACCESS_LOG = 'envoy.access_loggers.file'

/** The access logs of a connection manager, or of a TCP proxy. */
export function accessLogs({ accessLogs: targets }: ModeTelemetry): AccessLog[] {
  return targets.flatMap(({ provider: { envoyFileAccessLog: file } }) => {
    if (file === undefined) return []
    const typedConfig = any(FileAccessLogSchema, create(FileAccessLogSchema, { path: file.path ?? '/dev/stdout' }))
    return [create(AccessLogSchema, { name: FILE_ACCESS_LOG, configType: { case: 'typedConfig', value: typedConfig } })]
  })
}
