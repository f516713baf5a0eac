import { create, toJson } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { Any } from '@bufbuild/protobuf/wkt'
import { anyPack, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { BootstrapConfigDumpSchema, ConfigDumpSchema } from '../../../api/gen/envoy/admin/v3/config_dump_pb.js'
import {
  ClustersConfigDumpSchema,
  EndpointsConfigDumpSchema,
  ListenersConfigDumpSchema,
  RoutesConfigDumpSchema,
} from '../../../api/gen/envoy/admin/v3/config_dump_shared_pb.js'
import { ClusterSchema } from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ListenerSchema } from '../../../api/gen/envoy/config/listener/v3/listener_pb.js'
import { REGISTRY } from '../../../api/registry.ts'
import type { RouteConfigPlan } from '../../plan/plan.ts'
import type { CachedResource, RejectedResource } from '../../xds/resource-cache.ts'
import { type ClientType, RESOURCE_TYPES } from '../../xds/resource-types.ts'
import type { Agent } from '../agent.ts'
import { failure } from './failure.ts'
import { redact } from './redact.ts'
import { secretsDump } from './secrets-dump.ts'

/**
 * envoy.admin.v3.ConfigDump: the bootstrap, then clusters, endpoints (with `include_eds`), listeners, routes and secrets as
 * they were accepted, with the reason of each refusal. No private key is in it. `resource=` keeps one list, by its field name in the dump.
 */
export function configDump(agent: Agent, query: URLSearchParams): unknown {
  const configs = [bootstrapDump(agent), clustersDump(agent)]
  if (query.has('include_eds')) configs.push(endpointsDump(agent))
  configs.push(listenersDump(agent), routesDump(agent), secretsDump(agent))
  const json = toJson(ConfigDumpSchema, create(ConfigDumpSchema, { configs }), {
    registry: REGISTRY,
    useProtoFieldName: true,
  }) as { configs: Record<string, unknown>[] }
  const dump = redact(json)
  const wanted = query.get('resource')
  if (wanted === null) return dump
  return { configs: dump.configs.flatMap((config) => config[wanted] ?? []) }
}

function bootstrapDump(agent: Agent): Any {
  return anyPack(BootstrapConfigDumpSchema, create(BootstrapConfigDumpSchema, { bootstrap: agent.bootstrap }))
}

function clustersDump(agent: Agent): Any {
  const { resources, rejected } = agent.resources.caches.cluster
  const warming = new Set(agent.resources.warming.clusters)
  const dynamic = (resource: CachedResource<unknown>) => ({
    versionInfo: resource.version,
    cluster: asAny('cluster', resource),
    lastUpdated: timestampFromMs(resource.updatedMs),
    errorState: failure(rejected.get(resource.name)),
  })
  const all = [...resources.values()]
  return anyPack(
    ClustersConfigDumpSchema,
    create(ClustersConfigDumpSchema, {
      staticClusters: (agent.bootstrap.staticResources?.clusters ?? []).map((cluster) => ({
        cluster: anyPack(ClusterSchema, cluster),
      })),
      dynamicActiveClusters: [
        ...all.filter((r) => !warming.has(r.name)).map(dynamic),
        ...neverAccepted(resources, rejected).map((r) => ({ errorState: failure(r) })),
      ],
      dynamicWarmingClusters: all.filter((r) => warming.has(r.name)).map(dynamic),
    }),
  )
}

function listenersDump(agent: Agent): Any {
  const { resources, rejected } = agent.resources.caches.listener
  const warming = new Set(agent.resources.warming.listeners)
  return anyPack(
    ListenersConfigDumpSchema,
    create(ListenersConfigDumpSchema, {
      staticListeners: (agent.bootstrap.staticResources?.listeners ?? []).map((listener) => ({
        listener: anyPack(ListenerSchema, listener),
      })),
      dynamicListeners: [
        ...[...resources.values()].map((resource) => {
          const state = {
            versionInfo: resource.version,
            listener: asAny('listener', resource),
            lastUpdated: timestampFromMs(resource.updatedMs),
          }
          const errorState = failure(rejected.get(resource.name))
          return warming.has(resource.name)
            ? { name: resource.name, warmingState: state, errorState }
            : { name: resource.name, activeState: state, errorState }
        }),
        ...neverAccepted(resources, rejected).map((r) => ({ name: r.name, errorState: failure(r) })),
      ],
    }),
  )
}

function routesDump(agent: Agent): Any {
  const { resources, rejected } = agent.resources.caches.route
  return anyPack(
    RoutesConfigDumpSchema,
    create(RoutesConfigDumpSchema, {
      dynamicRouteConfigs: [
        ...[...resources.values()].map((resource) => ({
          versionInfo: resource.version,
          routeConfig: { typeUrl: RESOURCE_TYPES.route.typeUrl, value: withVirtualHosts(agent, resource) },
          lastUpdated: timestampFromMs(resource.updatedMs),
          errorState: failure(rejected.get(resource.name)),
        })),
        ...neverAccepted(resources, rejected).map((r) => ({ errorState: failure(r) })),
      ],
    }),
  )
}

/** A route table with the virtual hosts that came apart from it, as if they had come together. */
function withVirtualHosts(agent: Agent, table: CachedResource<RouteConfigPlan>): Uint8Array {
  if (!table.plan.usesVhds) return table.bytes
  const writer = new BinaryWriter().raw(table.bytes)
  for (const [name, { bytes }] of agent.resources.caches.virtualHost.resources) {
    if (name.slice(0, name.lastIndexOf('/')) !== table.name) continue
    writer.tag(VIRTUAL_HOSTS_FIELD, WireType.LengthDelimited).bytes(bytes)
  }
  return writer.finish()
}

/** RouteConfiguration.virtual_hosts. */
const VIRTUAL_HOSTS_FIELD = 2

function endpointsDump(agent: Agent): Any {
  const { resources, rejected } = agent.resources.caches.endpoint
  return anyPack(
    EndpointsConfigDumpSchema,
    create(EndpointsConfigDumpSchema, {
      dynamicEndpointConfigs: [...resources.values()].map((resource) => ({
        versionInfo: resource.version,
        endpointConfig: asAny('endpoint', resource),
        lastUpdated: timestampFromMs(resource.updatedMs),
        errorState: failure(rejected.get(resource.name)),
      })),
    }),
  )
}

function asAny(type: ClientType, resource: CachedResource<unknown>): { typeUrl: string; value: Uint8Array } {
  return { typeUrl: RESOURCE_TYPES[type].typeUrl, value: resource.bytes }
}

function neverAccepted(
  accepted: ReadonlyMap<string, unknown>,
  rejected: ReadonlyMap<string, RejectedResource>,
): RejectedResource[] {
  return [...rejected.values()].filter((r) => !accepted.has(r.name))
}
