import { isIP } from 'node:net'
import type { Service } from '../../registry/service.ts'

/**
 * The names by which a client may call a host: the whole name, the short forms that DNS completes in the client's
 * namespace, and the virtual addresses. Ports are not part of them: the port of a Host header is not looked at.
 */
export function domainsOf(
  host: string,
  service: Service | undefined,
  clientNamespace: string,
  domain: string,
): string[] {
  const domains = [host, ...shortForms(host, clientNamespace, domain)]
  // A Pod of a headless service is called by a name of its own under the service's.
  if (service?.headless) domains.push(`*.${host}`)
  for (const address of service?.addresses ?? []) {
    if (isIP(address) === 4) domains.push(address)
    else if (isIP(address) === 6) domains.push(address, `[${address}]`)
  }
  return domains
}

/** `reviews` (at home), `reviews.default` and `reviews.default.svc`. */
function shortForms(host: string, clientNamespace: string, domain: string): string[] {
  const suffix = `.svc.${domain}`
  if (host.startsWith('*') || !host.endsWith(suffix)) return []
  const name = host.slice(0, -suffix.length)
  const forms = [name, `${name}.svc`]
  const dot = name.lastIndexOf('.')
  if (dot > 0 && name.slice(dot + 1) === clientNamespace) forms.unshift(name.slice(0, dot))
  return forms
}

/** The same names with a port, for tables that are looked up by host and port. */
export function withPort(domains: readonly string[], port: number): string[] {
  return domains.map((domain) => `${isIP(domain) === 6 ? `[${domain}]` : domain}:${port}`)
}
