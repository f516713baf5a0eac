import { existsSync } from 'node:fs'
import { formatNodeId } from '../../api/node.ts'
import type { ConfigObject } from '../../config/object.ts'
import { DirectorySource } from '../../config/sources/directory.ts'
import { systemClock } from '../../lib/clock.ts'
import { MODE_LABEL } from '../../pilot/mesh/auto-mtls.ts'
import type { Generation } from '../../pilot/mesh/generation.ts'
import { MESH_WITH_IDENTITIES, type MeshOptions } from '../../pilot/mesh/options.ts'
import { Publisher } from '../../pilot/publisher.ts'
import type { Workload } from '../../pilot/registry/workload.ts'
import { type SecurityPlan, securityPlan } from '../../pilot/translate/security/plan.ts'
import { compileStatic, readBootstrap } from '../../proxy/agent/bootstrap.ts'
import type { SymbolicCall } from '../../proxy/decide/explain.ts'
import { EMPTY_PLAN, type Plan } from '../../proxy/plan/plan.ts'
import { CliError, EXIT } from '../exit.ts'
import { planOfView } from './plan-of-view.ts'

/** Kinds that say which hosts of a Kubernetes service there are; manifests for a cluster have none of them. */
const KINDS_WITH_ENDPOINTS = new Set(['Pod', 'Endpoints', 'EndpointSlice', 'WorkloadEntry'])

/** Where a plan to explain comes from. `notes` are for the user, beside the answer. */
export interface ExplainSource {
  plan: Plan
  notes: string[]
  /** Whether the source tells nothing of endpoints, so that a cluster without them is no miss. */
  assumeHosts: boolean
  /** The address that a name in a URL stands for, '' when not known. */
  resolve(hostname: string): string
  /** Where a workload that is called on this port of a service is reached, `ip:port`; '' when that is the same port, or not known. */
  inboundDestination(port: number): string
  /** It is a gateway, which is called by its own ports. */
  readonly isGateway: boolean
  /** What the workload asks of callers; undefined for nothing. */
  readonly security: SecurityPlan | undefined
}

/** The static resources of one Envoy bootstrap file. */
export function sourceOfBootstrap(file: string): ExplainSource {
  const { listeners, clusters } = compileStatic(readBootstrap(file), file)
  return { plan: { ...EMPTY_PLAN, listeners, clusters }, notes: [], assumeHosts: false, ...NOTHING_KNOWN }
}

const NOTHING_KNOWN = { resolve: () => '', inboundDestination: () => '', isGateway: false, security: undefined }

/** What the pilot would send to `from` (workload.namespace), with no pilot and no cluster running. */
export async function sourceOfConfig(
  paths: readonly string[],
  from: string,
  direction: SymbolicCall['direction'],
  meshOptions: Partial<MeshOptions> = {},
): Promise<ExplainSource> {
  for (const path of paths) if (!existsSync(path)) throw new CliError(`${path}: no such file or directory`)
  const [name, namespace] = splitWorkload(from)
  const source = await DirectorySource.open(paths, { clock: systemClock, watch: false })
  const options = { ...(hasIdentities(source.current().objects) && MESH_WITH_IDENTITIES), ...meshOptions }
  const publisher = new Publisher({ source, clock: systemClock, mesh: options })
  try {
    const notes = source
      .current()
      .findings.filter((finding) => finding.severity === 'error')
      .map((finding) => `${finding.file}:${finding.line}: ${finding.message} [${finding.code}]; explained without it`)
    const { mesh } = publisher
    const workload = findWorkload(mesh, namespace, name)
    const isGateway = direction === 'gateway' || isSelectedByGateway(mesh, workload)
    if (workload === undefined && !isGateway)
      notes.push(`no workload ${from} is known: explained as one without labels`)
    const identity = {
      id: formatNodeId({
        type: isGateway ? 'router' : 'sidecar',
        ip: workload?.addresses[0] ?? '0.0.0.0',
        name: workload?.name ?? name,
        namespace,
        domain: mesh.options.domain,
      }),
      cluster: name,
      metadata: { NAMESPACE: namespace, LABELS: workload?.labels ?? (isGateway ? gatewayLabels(mesh) : {}) },
    }
    const view = publisher.viewFor(identity)
    const { plan, refused } = planOfView(view)
    notes.push(...refused.map((text) => `a Lateen proxy would refuse ${text}`))
    const assumeHosts = !source.current().objects.some((object) => KINDS_WITH_ENDPOINTS.has(object.kind))
    if (assumeHosts) notes.push('the configuration has no Pods or EndpointSlices: every cluster is taken to have hosts')
    return {
      plan,
      notes,
      assumeHosts,
      resolve: (hostname) => addressOf(mesh, namespace, hostname),
      inboundDestination: (port) => {
        const target = view.scope.instances.find((instance) => instance.port.number === port)?.targetPort ?? port
        return target === port ? '' : `${workload?.addresses[0] ?? '0.0.0.0'}:${target}`
      },
      isGateway,
      security: securityPlan(view.scope.security, mesh.keys),
    }
  } finally {
    publisher.close()
    source.close()
  }
}

/** Whether the configuration is for proxies that have certificates: it says how they are called, or that they have them. */
function hasIdentities(objects: readonly ConfigObject[]): boolean {
  return objects.some(({ kind, metadata }) => kind === 'PeerAuthentication' || metadata.labels[MODE_LABEL] === 'istio')
}

function splitWorkload(from: string): [name: string, namespace: string] {
  const dot = from.lastIndexOf('.')
  if (dot <= 0 || dot === from.length - 1) {
    throw new CliError(`--from ${from}: must be WORKLOAD.NAMESPACE, as in productpage-v1.default`, EXIT.usage)
  }
  return [from.slice(0, dot), from.slice(dot + 1)]
}

/** By the name of a Pod or Deployment, of the Deployment behind a Pod, or by the `app` label. */
function findWorkload(mesh: Generation, namespace: string, name: string): Workload | undefined {
  const { workloads } = mesh.registry
  const inNamespace = (test: (workload: Workload) => boolean) =>
    workloads.all.find((workload) => workload.namespace === namespace && test(workload))
  return (
    workloads.byName(namespace, name) ??
    inNamespace((workload) => workload.workloadName === name) ??
    inNamespace((workload) => workload.labels.app === name)
  )
}

function isSelectedByGateway(mesh: Generation, workload: Workload | undefined): boolean {
  if (workload === undefined) return false
  return mesh.gateways.some((gateway) => {
    const selector = Object.entries(gateway.body.spec.selector ?? {})
    return selector.length > 0 && selector.every(([key, value]) => workload.labels[key] === value)
  })
}

/** A gateway that no object describes stands for one that every Gateway selects. */
function gatewayLabels(mesh: Generation): Record<string, string> {
  return Object.assign({}, ...mesh.gateways.map((gateway) => gateway.body.spec.selector ?? {}))
}

/** The service address that an application would connect to for a name. */
function addressOf(mesh: Generation, namespace: string, hostname: string): string {
  const { domain } = mesh.options
  const spellings = [
    hostname,
    `${hostname}.${namespace}.svc.${domain}`,
    `${hostname}.svc.${domain}`,
    `${hostname}.${domain}`,
  ]
  const service = mesh.registry.services.find((s) => spellings.includes(s.host))
  return service?.addresses[0] ?? ''
}
