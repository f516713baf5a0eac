/** Configurations of the proxies side by side: one listener, one route, one upstream, keep-alive on both sides. */

export const UPSTREAM_PORT = 18190
export const PORTS = { nginx: 18191, haproxy: 18192, envoy: 18193, lateen: 18194 } as const
export const BODY = 'x'.repeat(256)

export const upstreamConfig = (dir: string) => `
worker_processes 1; daemon off; pid ${dir}/upstream.pid; error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
  server { listen 127.0.0.1:${UPSTREAM_PORT} backlog=4096; location / { default_type text/plain; return 200 "${BODY}"; } }
}
`

export const nginxConfig = (dir: string) => `
worker_processes 1; daemon off; pid ${dir}/nginx.pid; error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000;
  upstream up { server 127.0.0.1:${UPSTREAM_PORT}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${PORTS.nginx} backlog=4096;
    location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`

export const haproxyConfig = () => `
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  http-reuse always
frontend in
  bind 127.0.0.1:${PORTS.haproxy}
  default_backend up
backend up
  server up 127.0.0.1:${UPSTREAM_PORT}
`

/** The same file starts Envoy and Lateen, but for the port. */
export const envoyConfig = (port: number) => `
static_resources:
  listeners:
  - name: in
    address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          normalize_path: true
          route_config:
            name: bench
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: { prefix: "/" }
                route: { cluster: up, timeout: 0s }
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: up
    type: STATIC
    connect_timeout: 5s
    circuit_breakers: { thresholds: [ { max_connections: 8192, max_pending_requests: 8192, max_requests: 8192 } ] }
    load_assignment:
      cluster_name: up
      endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${UPSTREAM_PORT} } } } } ] } ]
`
