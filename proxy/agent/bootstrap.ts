import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { type Bootstrap, BootstrapSchema } from '../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { DataSourceSchema } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { passingRegistry } from '../../api/registry.ts'
import { errorText, MeshError } from '../../lib/errors.ts'
import { compileCluster } from '../plan/compile/cluster.ts'
import { compileListener } from '../plan/compile/listener.ts'
import { compileSecret } from '../plan/compile/secret.ts'
import type { ClusterPlan, ListenerPlan } from '../plan/plan.ts'
import { PlanError, refuse } from '../plan/plan-error.ts'
import type { SecretPlan, Secrets } from '../plan/secret-plan.ts'
import { secretsNamed } from '../xds/assemble.ts'
import { type SecretUser, secretUsers } from '../xds/secret-check.ts'
import { ADS_SOURCE, SecretStore } from '../xds/secret-store.ts'

/** Reads an Envoy bootstrap file, YAML or JSON (envoy.config.bootstrap.v3.Bootstrap). Throws BOOTSTRAP_INVALID. */
export function readBootstrap(file: string): Bootstrap {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (thrown) {
    throw new MeshError('BOOTSTRAP_INVALID', `cannot read ${file}: ${errorText(thrown)}`, {
      source: 'config',
      cause: thrown,
    })
  }
  return parseBootstrap(text, file)
}

export function parseBootstrap(text: string, file: string): Bootstrap {
  const plain = parseJson(text) ?? parseYaml(text, file)
  try {
    const registry = passingRegistry()
    const schema = registry.getMessage(BootstrapSchema.typeName) as typeof BootstrapSchema
    return fromJson(schema, plain, { registry })
  } catch (thrown) {
    throw invalid(file, withoutValue(errorText(thrown)))
  }
}

/** The value of a field that may hold a private key is not shown. */
function withoutValue(message: string): string {
  return message.includes(DataSourceSchema.typeName) ? message.replace(/ from JSON: .*$/s, ' from JSON') : message
}

/** Undefined when it is none: what looks like it may be YAML all the same. */
function parseJson(text: string): JsonValue | undefined {
  if (!/^\s*\{/.test(text)) return undefined
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
}

const require = createRequire(import.meta.url)

/** The parser stays out of a proxy that needs none: it is a twentieth of what one holds when it is idle. */
function parseYaml(text: string, file: string): JsonValue {
  const { parseDocument } = require('yaml') as typeof import('yaml')
  const document = parseDocument(text, { merge: true })
  const syntaxError = document.errors[0]
  // What follows the first line is the text around it, and there may be a private key in it.
  if (syntaxError !== undefined) throw invalid(file, syntaxError.message.split(':\n')[0] as string)
  return document.toJS() as JsonValue
}

export interface StaticResources {
  listeners: Map<string, ListenerPlan>
  clusters: Map<string, ClusterPlan>
  /** The static secrets that these refer to. */
  secrets: Secrets
  /** All static secrets, by name. */
  staticSecrets: ReadonlyMap<string, SecretPlan>
}

/** What else but static secrets listeners and clusters may refer to. */
export interface OtherSecrets {
  /** Names that this process supplies itself. */
  readonly localNames: ReadonlySet<string>
  /** Static clusters that secrets may be asked of. */
  readonly grpcClusters: ReadonlySet<string>
  readonly hasAds: boolean
}

/**
 * Compiles `static_resources`. Clusters named in `except` are left out: those that lead to the management server are
 * spoken to by the xDS client, not by the data path. With `others`, a reference to a secret that nothing can ever answer
 * is an error. Throws BOOTSTRAP_INVALID.
 */
export function compileStatic(
  bootstrap: Bootstrap,
  file: string,
  except: ReadonlySet<string> = new Set(),
  others?: OtherSecrets,
): StaticResources {
  const staticSecrets = compileSecrets(bootstrap, file)
  const store = new SecretStore({ staticSecrets, ...others, check: () => {} })
  const checkSecrets = (users: Iterable<SecretUser>, path: string) => {
    for (const user of users) {
      named(file, path, () => {
        for (const ref of user.needs) {
          if (others !== undefined && !others.hasAds && store.sourceOf(ref) === ADS_SOURCE) {
            refuse(`${ref.path}.sds_config.ads`, 'there is no dynamic_resources.ads_config')
          }
          if (others !== undefined || ref.source.kind === 'static') store.checkSource(ref)
        }
        user.check(store.findAll(user.needs))
      })
    }
  }
  const clusters = new Map<string, ClusterPlan>()
  const listeners = new Map<string, ListenerPlan>()
  for (const [i, cluster] of (bootstrap.staticResources?.clusters ?? []).entries()) {
    if (except.has(cluster.name)) continue
    const plan = named(file, `static_resources.clusters[${i}]`, () => compileCluster(cluster, 'static'))
    clusters.set(plan.name, plan)
    checkSecrets(secretUsers([], [plan]), `static_resources.clusters[${i}]`)
  }
  for (const [i, listener] of (bootstrap.staticResources?.listeners ?? []).entries()) {
    const plan = named(file, `static_resources.listeners[${i}]`, () => compileListener(listener))
    listeners.set(plan.name || `static_${i}`, plan)
    checkSecrets(secretUsers([plan], []), `static_resources.listeners[${i}]`)
  }
  const secrets = store.findAll(secretsNamed(listeners.values(), clusters.values()))
  return { listeners, clusters, secrets, staticSecrets }
}

function compileSecrets(bootstrap: Bootstrap, file: string): Map<string, SecretPlan> {
  const secrets = new Map<string, SecretPlan>()
  for (const [i, secret] of (bootstrap.staticResources?.secrets ?? []).entries()) {
    const plan = named(file, `static_resources.secrets[${i}]`, () => compileSecret(secret))
    if (secrets.has(plan.name)) throw invalid(file, `static_resources.secrets[${i}].name: ${plan.name} is there twice`)
    secrets.set(plan.name, plan)
  }
  return secrets
}

function named<T>(file: string, path: string, compile: () => T): T {
  try {
    return compile()
  } catch (thrown) {
    if (thrown instanceof PlanError) throw invalid(file, `${path}.${thrown.message}`)
    throw thrown
  }
}

function invalid(file: string, reason: string): MeshError {
  return new MeshError('BOOTSTRAP_INVALID', `${file}: ${reason}`, { source: 'config' })
}
