/** Who a workload is: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. */
export interface SpiffeId {
  readonly trustDomain: string
  readonly namespace: string
  readonly serviceAccount: string
}

/** Names as Kubernetes has them (RFC 1123): what else could stand between the slashes would be somebody else's id. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/
/** The characters of a SPIFFE trust domain. */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/

/** undefined when one of the parts is no name. */
export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): SpiffeId | undefined {
  if (!TRUST_DOMAIN.test(trustDomain) || !LABEL.test(namespace) || !SUBDOMAIN.test(serviceAccount)) return undefined
  return { trustDomain, namespace, serviceAccount }
}

export function formatSpiffeId({ trustDomain, namespace, serviceAccount }: SpiffeId): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`
}

/** undefined for what is no such id. */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  const parts = uri.split('/')
  if (parts.length !== 7 || parts[0] !== 'spiffe:' || parts[1] !== '' || parts[3] !== 'ns' || parts[5] !== 'sa')
    return undefined
  return spiffeId(parts[2] as string, parts[4] as string, parts[6] as string)
}
