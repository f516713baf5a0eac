/** Messages by which Istio's filters that only look on are configured. */
export const STATS_TYPE = 'stats.PluginConfig'
export const PEER_METADATA_TYPE = 'io.istio.http.peer_metadata.Config'
