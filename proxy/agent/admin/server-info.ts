import { toJson } from '@bufbuild/protobuf'
import { NodeSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import { REGISTRY } from '../../../api/registry.ts'
import { VERSION } from '../../../lib/version.ts'
import type { Agent } from '../agent.ts'

/** Envoy's server states. */
export function serverState(agent: Agent): 'LIVE' | 'DRAINING' | 'INITIALIZING' {
  if (agent.planes.isDraining || agent.isFailingHealthChecks) return 'DRAINING'
  return agent.isReady ? 'LIVE' : 'INITIALIZING'
}

export function serverInfo(agent: Agent): unknown {
  const { node } = agent.bootstrap
  const uptimeS = Math.floor((agent.clock.nowMs() - agent.startedMs) / 1000)
  return {
    version: `lateen/${VERSION}`,
    state: serverState(agent),
    uptime_current_epoch: `${uptimeS}s`,
    command_line_options: { config_path: agent.file },
    node: node === undefined ? {} : toJson(NodeSchema, node, { registry: REGISTRY, useProtoFieldName: true }),
    control_plane: {
      connected: agent.xds?.isConnected ?? false,
      last_error: agent.xds?.lastError ?? '',
      warming: agent.resources.warming,
    },
  }
}
