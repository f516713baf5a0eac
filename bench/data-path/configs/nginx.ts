import { SERVER_NAME } from '../certificates.ts'
import type { Hop } from '../hop.ts'
import { HEADER, HEADER_PATTERN, type Route } from '../routes.ts'

/** What every nginx of the bench has in common: one worker, no log, connections that stay. */
export const nginxFrame = (pidFile: string, http: string) => `
worker_processes 1; daemon off; pid ${pidFile}; error_log stderr crit;
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; server_tokens off;
  proxy_max_temp_file_size 0;
  ${http}
}
`

export function nginxConfig(hop: Hop): string {
  const { port, adminPort, upstreamPort, dir } = hop
  return nginxFrame(
    `${dir}/nginx-${port}.pid`,
    `upstream up { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 3600s; }
  ${Array.from({ length: hop.extraClusters }, (_, i) => extraUpstream(i, upstreamPort)).join('\n  ')}
  server { listen 127.0.0.1:${adminPort}; location = /stub_status { stub_status; } }
  server {
    listen 127.0.0.1:${port} backlog=4096${hop.downstreamTls === 'none' ? '' : ' ssl'}${hop.protocol === 'http2' ? ' http2' : ''};
    ${downstreamTls(hop)}
    ${hop.routes.map((route) => location(route, hop)).join('\n    ')}
  }`,
  )
}

function extraUpstream(i: number, port: number): string {
  return `upstream extra-${i} { server 127.0.0.1:${port}; keepalive 256; }`
}

function location(route: Route, hop: Hop): string {
  if (route.kind === 'path') return `location = ${route.path} { return 503; }`
  if (route.path !== '/') return `location ${route.path} { return 503; }`
  const only =
    route.kind === 'prefix' ? '' : `if ($http_${HEADER.replace('-', '_')} !~ ${HEADER_PATTERN}) { return 503; } `
  return `location / { ${only}${hop.protocol === 'http2' ? pass('grpc', hop) : pass('proxy', hop)} }`
}

function pass(module: 'grpc' | 'proxy', hop: Hop): string {
  const hasTls = hop.upstreamTls !== 'none'
  const scheme = module === 'grpc' ? (hasTls ? 'grpcs' : 'grpc') : hasTls ? 'https' : 'http'
  const keepAlive = module === 'grpc' ? '' : ' proxy_http_version 1.1; proxy_set_header Connection "";'
  return `${module}_pass ${scheme}://up;${keepAlive}${hasTls ? upstreamTls(module, hop) : ''}`
}

function upstreamTls(module: 'grpc' | 'proxy', { upstreamTls: tls, certificates }: Hop): string {
  const own =
    tls === 'mutual'
      ? ` ${module}_ssl_certificate ${certificates.certFile}; ${module}_ssl_certificate_key ${certificates.keyFile};`
      : ''
  return (
    ` ${module}_ssl_protocols TLSv1.3; ${module}_ssl_verify on; ${module}_ssl_trusted_certificate ${certificates.caFile};` +
    ` ${module}_ssl_name ${SERVER_NAME}; ${module}_ssl_server_name on;${own}`
  )
}

function downstreamTls({ downstreamTls: tls, certificates }: Hop): string {
  if (tls === 'none') return ''
  const peer = tls === 'mutual' ? ` ssl_verify_client on; ssl_client_certificate ${certificates.caFile};` : ''
  return `ssl_protocols TLSv1.3; ssl_certificate ${certificates.certFile}; ssl_certificate_key ${certificates.keyFile};${peer}`
}
