import type { Issued } from './certificates.ts'

/** Secrets and references to them, with the names of the proto's fields. */

export function certificateSecret({ cert, key }: Pick<Issued, 'cert' | 'key'>): object {
  return { tls_certificate: { certificate_chain: { inline_string: cert }, private_key: { inline_string: key } } }
}

export function trustSecret(cert: string, fields: object = {}): object {
  return { validation_context: { trusted_ca: { inline_string: cert }, ...fields } }
}

export function adsSecret(name: string, fetchTimeout?: string): object {
  const timeout = fetchTimeout === undefined ? {} : { initial_fetch_timeout: fetchTimeout }
  return { name, sds_config: { ads: {}, resource_api_version: 'V3', ...timeout } }
}

/** From a management server for secrets alone, behind a static cluster. */
export function grpcSecret(name: string, cluster: string, apiType: 'GRPC' | 'DELTA_GRPC' = 'GRPC'): object {
  const grpc_services = [{ envoy_grpc: { cluster_name: cluster } }]
  const api_config_source = { api_type: apiType, transport_api_version: 'V3', grpc_services }
  return { name, sds_config: { api_config_source, resource_api_version: 'V3' } }
}
