import type { Finding } from '../../config/finding.ts'
import { type ConfigObject, refOf } from '../../config/object.ts'
import type { AuthorizationPolicyBody } from '../../crds/kinds/authorization-policy.ts'
import type { ExtensionProvider } from '../../crds/mesh-config.ts'
import { REFERENCE_NOT_FOUND } from './dangling.ts'
import type { MeshOptions } from './options.ts'
import type { WorkloadTelemetry } from './telemetry.ts'
import type { WorkloadSecurity } from './workload-security.ts'

/** The external authorizer of this name; undefined when there is none. */
export function findAuthorizer(name: string, { extensionProviders }: MeshOptions): ExtensionProvider | undefined {
  const found = extensionProviders.find((provider) => provider.name === name)
  const isAuthorizer = found?.envoyExtAuthzHttp !== undefined || found?.envoyExtAuthzGrpc !== undefined
  return isAuthorizer ? found : undefined
}

/** The services that a workload's proxy calls by itself, for its policies and its telemetry. */
export function providerHosts(
  { authorizationPolicies }: WorkloadSecurity,
  { server, client }: WorkloadTelemetry,
  options: MeshOptions,
): string[] {
  const authorizers = authorizationPolicies.flatMap(({ body: { spec } }) =>
    spec.action === 'CUSTOM' ? (findAuthorizer(spec.provider?.name ?? '', options) ?? []) : [],
  )
  const told = [server, client].flatMap(({ accessLogs, tracing }) => [
    ...accessLogs.map(({ provider }) => provider),
    ...(tracing?.provider === undefined ? [] : [tracing.provider]),
  ])
  const hosts = [...authorizers, ...told].flatMap(({ name, ...kinds }) =>
    Object.values(kinds).flatMap((kind) => ('service' in kind ? [providerHost(kind)] : [])),
  )
  return [...new Set(hosts)]
}

/** `host` or `namespace/host`. */
export function providerHost({ service }: { readonly service: string }): string {
  return service.slice(service.indexOf('/') + 1)
}

/** Policies that ask an authorizer which the mesh's configuration does not know: they deny every call. */
export function unknownProviders(
  policies: readonly ConfigObject<AuthorizationPolicyBody>[],
  options: MeshOptions,
): Finding[] {
  return policies.flatMap((policy) => {
    const { action, provider, rules = [] } = policy.body.spec
    const name = provider?.name ?? ''
    if (action !== 'CUSTOM' || rules.length === 0 || findAuthorizer(name, options) !== undefined) return []
    const message = `spec.provider.name: no external authorizer "${name}" is known to the mesh, so every call is denied`
    const line = policy.lineOf(['spec', 'provider', 'name'])
    return [
      { code: REFERENCE_NOT_FOUND, severity: 'error', object: refOf(policy), file: policy.origin.file, line, message },
    ]
  })
}
