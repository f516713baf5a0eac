/**
 * The key of `filter_metadata` under which the pilot writes into clusters what our proxy alone understands. Envoy passes over it,
 * and does what the fields of its own say.
 */
export const PROXY_METADATA_KEY = 'lateen.mesh'

/** Hosts are chosen by Peak EWMA, whose time constant is this number of milliseconds. */
export const PEAK_EWMA_DECAY_KEY = 'peak_ewma_decay_ms'
