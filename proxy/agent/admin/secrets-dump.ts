import { create } from '@bufbuild/protobuf'
import { type Any, anyPack, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { SecretsConfigDumpSchema } from '../../../api/gen/envoy/admin/v3/config_dump_pb.js'
import { SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { TYPE_URL } from '../../../api/type-urls.ts'
import type { SecretRef } from '../../plan/secret-plan.ts'
import type { Agent } from '../agent.ts'
import { failure } from './failure.ts'

/**
 * envoy.admin.v3.SecretsConfigDump: static secrets, those that have come, and those that are waited for. Private keys are in
 * it: see redact().
 */
export function secretsDump(agent: Agent): Any {
  const { caches } = agent.resources.secrets
  const accepted = [...caches.values()].flatMap(({ resources, rejected }) =>
    [...resources.values()].map(({ name, version, updatedMs, bytes }) => ({
      name,
      versionInfo: version,
      lastUpdated: timestampFromMs(updatedMs),
      secret: { typeUrl: TYPE_URL.secret, value: bytes },
      errorState: failure(rejected.get(name)),
    })),
  )
  return anyPack(
    SecretsConfigDumpSchema,
    create(SecretsConfigDumpSchema, {
      staticSecrets: (agent.bootstrap.staticResources?.secrets ?? []).map((secret) => ({
        name: secret.name,
        secret: anyPack(SecretSchema, secret),
      })),
      dynamicActiveSecrets: accepted,
      dynamicWarmingSecrets: missing(agent).map(({ name, source }) => ({
        name,
        errorState: failure(caches.get(source)?.rejected.get(name)),
      })),
    }),
  )
}

/** What is referred to and has not come, once for each source. */
function missing(agent: Agent): { name: string; source: string }[] {
  const { resources } = agent
  const found = new Map<string, { name: string; source: string }>()
  const add = (ref: SecretRef) => {
    const source = resources.secrets.sourceOf(ref)
    found.set(`${source} ${ref.name}`, { name: ref.name, source })
  }
  for (const ref of resources.secretRefs()) if (resources.secrets.find(ref) === undefined) add(ref)
  return [...found.values()]
}
