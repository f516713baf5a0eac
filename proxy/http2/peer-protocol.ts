/**
 * ALPN's name for what two of our own proxies speak: HTTP/2 whose field names keep the case that HTTP/1.1 gave them, with
 * Host in its place in the place of `:authority`. So HTTP/1.1 travels multiplexed between them, and comes out as it went in.
 */
export const PEER_PROTOCOL = 'lateen-h2'

export const H2 = 'h2'
export const HTTP_1_1 = 'http/1.1'
