import { SERVER_NAME } from '../certificates.ts'
import type { Hop } from '../hop.ts'
import { HEADER, HEADER_PATTERN, type Route } from '../routes.ts'

export function haproxyConfig(hop: Hop): string {
  const last = hop.routes.at(-1) as Route
  const hasHeader = last.kind !== 'prefix'
  return `
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
  option http-keep-alive
  http-reuse always
frontend metrics
  bind 127.0.0.1:${hop.adminPort}
  stats enable
  stats uri /
frontend in
  bind 127.0.0.1:${hop.port} backlog 4096${downstream(hop)}
  ${hop.routes
    .slice(0, -1)
    .map((route) => `use_backend none if ${condition(route)}`)
    .join('\n  ')}
  ${hasHeader ? `use_backend up if ${condition(last)}\n  default_backend none` : 'default_backend up'}
backend up
  server up 127.0.0.1:${hop.upstreamPort}${upstream(hop)}
backend none
  server none 127.0.0.1:${hop.deadPort}
${Array.from({ length: hop.extraClusters }, (_, i) => `backend extra-${i}\n  server up 127.0.0.1:${hop.upstreamPort}`).join('\n')}
`
}

function condition({ kind, path }: Route): string {
  if (kind === 'path') return `{ path ${path} }`
  return `{ path_beg ${path} }${kind === 'prefix' ? '' : ` { req.hdr(${HEADER}) -m reg ${HEADER_PATTERN} }`}`
}

function downstream({ downstreamTls, protocol, certificates }: Hop): string {
  const isHttp2 = protocol === 'http2'
  if (downstreamTls === 'none') return isHttp2 ? ' proto h2' : ''
  const peer = downstreamTls === 'mutual' ? ` verify required ca-file ${certificates.caFile}` : ''
  return ` ssl crt ${certificates.bundleFile} ssl-min-ver TLSv1.3 alpn ${isHttp2 ? 'h2' : 'http/1.1'}${peer}`
}

function upstream({ upstreamTls, protocol, certificates }: Hop): string {
  const isHttp2 = protocol === 'http2'
  if (upstreamTls === 'none') return isHttp2 ? ' proto h2' : ''
  const own = upstreamTls === 'mutual' ? ` crt ${certificates.bundleFile}` : ''
  const name = `sni str(${SERVER_NAME}) verifyhost ${SERVER_NAME}`
  return ` ssl ssl-min-ver TLSv1.3 verify required ca-file ${certificates.caFile} ${name}${own} alpn ${isHttp2 ? 'h2' : 'http/1.1'}`
}
