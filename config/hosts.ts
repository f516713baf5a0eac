import { isIP } from 'node:net'

/** The domain of a cluster's services when nobody says otherwise. */
export const DEFAULT_DOMAIN = 'cluster.local'

/**
 * A host as a rule of `namespace` means it: a name without a dot is a service of that namespace, everything else is
 * taken as it is (so `reviews.prod` is not completed, as in Istio).
 */
export function resolveHost(host: string, namespace: string, domain = DEFAULT_DOMAIN): string {
  if (host === '' || host === '*' || host.includes('.') || isIP(host) !== 0) return host
  return `${host}.${namespace}.svc.${domain}`
}

export function isWildcard(host: string): boolean {
  return host.startsWith('*')
}

/** Whether every name that `host` stands for is also one of `pattern`. `*.a.b` is within `*.b`, not the other way. */
export function hostWithin(host: string, pattern: string): boolean {
  if (pattern === '*') return true
  if (!isWildcard(pattern)) return host === pattern
  const suffix = pattern.slice(1)
  const text = isWildcard(host) ? host.slice(1) : host
  return text.length >= suffix.length + (isWildcard(host) ? 0 : 1) && text.endsWith(suffix)
}

/** Whether some name is matched by both; either may be the wider one. */
export function hostsOverlap(a: string, b: string): boolean {
  return hostWithin(a, b) || hostWithin(b, a)
}

/** `ns/host` as Gateway servers and Sidecar listeners write it. Without a namespace it is `*`. */
export function splitNamespacedHost(text: string): { namespace: string; host: string } {
  const slash = text.indexOf('/')
  if (slash < 0) return { namespace: '*', host: text }
  return { namespace: text.slice(0, slash), host: text.slice(slash + 1) }
}

/**
 * Whether an object of `ownNamespace` with this exportTo is visible in `namespace`. Without exportTo it is visible
 * everywhere (the default of Istio's mesh configuration).
 */
export function isExportedTo(
  exportTo: readonly string[] | undefined,
  ownNamespace: string,
  namespace: string,
): boolean {
  if (exportTo === undefined || exportTo.length === 0) return true
  return exportTo.some((to) => to === '*' || to === namespace || (to === '.' && ownNamespace === namespace))
}

/** `namespace/name` of the Gateway that a VirtualService of `namespace` refers to. */
export function resolveGateway(reference: string, namespace: string): string {
  const slash = reference.indexOf('/')
  if (slash < 0) return `${namespace}/${reference}`
  const owner = reference.slice(0, slash)
  return `${owner === '.' ? namespace : owner}/${reference.slice(slash + 1)}`
}

/** The word for all sidecars in a list of gateways, and the list when none is given. */
export const MESH_GATEWAY = 'mesh'
