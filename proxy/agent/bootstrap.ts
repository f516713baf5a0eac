import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { type Bootstrap, BootstrapSchema } from '../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { REGISTRY } from '../../api/registry.ts'
import { errorText, MeshError } from '../../lib/errors.ts'
import { compileCluster } from '../plan/compile/cluster.ts'
import { compileListener } from '../plan/compile/listener.ts'
import type { ClusterPlan, ListenerPlan } from '../plan/plan.ts'
import { PlanError } from '../plan/plan-error.ts'

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
    return fromJson(BootstrapSchema, plain, { registry: REGISTRY })
  } catch (thrown) {
    throw invalid(file, errorText(thrown))
  }
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
  if (syntaxError !== undefined) throw invalid(file, syntaxError.message)
  return document.toJS() as JsonValue
}

export interface StaticResources {
  listeners: Map<string, ListenerPlan>
  clusters: Map<string, ClusterPlan>
}

/**
 * Compiles `static_resources`. Clusters named in `except` are left out: those that lead to the management server are
 * spoken to by the xDS client, not by the data path.
 */
export function compileStatic(
  bootstrap: Bootstrap,
  file: string,
  except: ReadonlySet<string> = new Set(),
): StaticResources {
  const clusters = new Map<string, ClusterPlan>()
  const listeners = new Map<string, ListenerPlan>()
  for (const [i, cluster] of (bootstrap.staticResources?.clusters ?? []).entries()) {
    if (except.has(cluster.name)) continue
    const plan = named(file, `static_resources.clusters[${i}]`, () => compileCluster(cluster, 'static'))
    clusters.set(plan.name, plan)
  }
  for (const [i, listener] of (bootstrap.staticResources?.listeners ?? []).entries()) {
    const plan = named(file, `static_resources.listeners[${i}]`, () => compileListener(listener))
    listeners.set(plan.name || `static_${i}`, plan)
  }
  return { listeners, clusters }
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
