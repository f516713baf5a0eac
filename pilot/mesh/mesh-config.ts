import { parseDurationMs } from '../../crds/duration.ts'
import type { MeshConfig } from '../../crds/mesh-config.ts'
import type { MeshOptions } from './options.ts'

/** What a mesh's configuration says of the options; what it does not say stays as it is. */
export function meshOptionsOf(config: MeshConfig): Partial<MeshOptions> {
  const { outboundTrafficPolicy, connectTimeout, dnsRefreshRate, localityLbSetting, defaultConfig, ...same } = config
  const mode = outboundTrafficPolicy && (outboundTrafficPolicy.mode ?? 'REGISTRY_ONLY')
  const connectTimeoutMs = milliseconds(connectTimeout)
  const dnsRefreshRateMs = milliseconds(dnsRefreshRate)
  return {
    ...same,
    // Who says how near ones are preferred wants it so.
    ...(localityLbSetting !== undefined && { localityLbSetting: { enabled: true, ...localityLbSetting } }),
    ...(defaultConfig?.tracing !== undefined && { tracing: defaultConfig.tracing }),
    ...(mode !== undefined && { outboundTrafficPolicy: mode }),
    ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
    ...(dnsRefreshRateMs !== undefined && { dnsRefreshRateMs }),
  }
}

function milliseconds(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationMs(text)
}
