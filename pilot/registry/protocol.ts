/** What is spoken on a port, as Istio names it (istio/pkg/config/protocol). */
export type Protocol =
  | 'HTTP'
  | 'HTTP2'
  | 'GRPC'
  | 'GRPC-Web'
  | 'HTTP_PROXY'
  | 'HTTPS'
  | 'TLS'
  | 'TCP'
  | 'Mongo'
  | 'MySQL'
  | 'Redis'
  | 'UDP'

const BY_NAME: Record<string, Protocol> = {
  http: 'HTTP',
  http2: 'HTTP2',
  grpc: 'GRPC',
  'grpc-web': 'GRPC-Web',
  http_proxy: 'HTTP_PROXY',
  https: 'HTTPS',
  tls: 'TLS',
  tcp: 'TCP',
  mongo: 'Mongo',
  mysql: 'MySQL',
  redis: 'Redis',
  udp: 'UDP',
}

/** Kubernetes' own values of appProtocol (kubernetes.io/docs: "Application protocol"). */
const KUBERNETES_APP_PROTOCOLS: Record<string, Protocol> = {
  'kubernetes.io/h2c': 'HTTP2',
  'kubernetes.io/ws': 'HTTP',
  'kubernetes.io/wss': 'HTTPS',
}

/** The protocol that a ServiceEntry, Gateway or Sidecar port names outright. What we do not know is carried as TCP. */
export function parseProtocol(text: string | undefined): Protocol {
  return BY_NAME[text?.toLowerCase() ?? ''] ?? 'TCP'
}

/**
 * The protocol of a Kubernetes port: `appProtocol`, then the part of the name before the first `-`
 * (istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection). Nothing is sniffed: a port that
 * says nothing is TCP.
 */
export function protocolOfPort(port: { name?: string; appProtocol?: string; protocol?: string }): Protocol {
  if (port.protocol === 'UDP') return 'UDP'
  const app = port.appProtocol?.toLowerCase()
  if (app !== undefined && app !== '') {
    const named = KUBERNETES_APP_PROTOCOLS[app] ?? BY_NAME[app]
    if (named !== undefined) return named
  }
  const name = port.name?.toLowerCase() ?? ''
  if (name === 'grpc-web' || name.startsWith('grpc-web-')) return 'GRPC-Web'
  return BY_NAME[name.split('-')[0] as string] ?? 'TCP'
}

export function isHttp(protocol: Protocol): boolean {
  return (
    protocol === 'HTTP' ||
    protocol === 'HTTP2' ||
    protocol === 'GRPC' ||
    protocol === 'GRPC-Web' ||
    protocol === 'HTTP_PROXY'
  )
}

/** Whether the port speaks HTTP/2 to its servers. */
export function isHttp2(protocol: Protocol): boolean {
  return protocol === 'HTTP2' || protocol === 'GRPC' || protocol === 'GRPC-Web'
}

/** Whether the bytes are TLS that a sidecar passes on as they are. */
export function isTls(protocol: Protocol): boolean {
  return protocol === 'HTTPS' || protocol === 'TLS'
}
