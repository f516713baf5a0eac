import { formatClusterName } from '../../api/names.ts'
import { providerHost } from '../mesh/extension-providers.ts'

/** A service that proxies ask or tell something, as MeshConfig's providers name it: `host` or `namespace/host`. */
export interface ProviderAddress {
  readonly service: string
  readonly port: number
}

/** The cluster that proxies have for it. */
export function providerCluster(provider: ProviderAddress): string {
  return formatClusterName({ direction: 'outbound', port: provider.port, subset: '', host: providerHost(provider) })
}

/** Istio's authority of calls to it. */
export function providerAuthority(provider: ProviderAddress): string {
  return `outbound_.${provider.port}_._.${providerHost(provider)}`
}
