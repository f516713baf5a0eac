/**
 * The key of `filter_metadata` under which the pilot writes into clusters and routes what our proxy alone understands. Envoy passes over it,
 * and does what the fields of its own say.
 */
export const PROXY_METADATA_KEY = 'lateen.mesh'

/** Hosts are chosen by Peak EWMA, whose time constant is this number of milliseconds. */
export const PEAK_EWMA_DECAY_KEY = 'peak_ewma_decay_ms'

/**
 * true in a route: what the retry policy says is the mesh's own choice, and a request that may be repeated (RFC 9110 section 9.2.2)
 * is also tried again when its connection breaks before the answer. No `retry_on` of Envoy's says that.
 */
export const REPEATS_IDEMPOTENT_KEY = 'repeats_idempotent'
