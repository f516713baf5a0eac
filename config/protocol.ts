/** How a Kubernetes service port declares its protocol. */
export interface DeclaringPort {
  port: number
  name?: string
  appProtocol?: string
  protocol?: string
}

const BY_NAME: Record<string, string> = {
  'grpc-web': 'GRPC-WEB',
  grpc: 'GRPC',
  http: 'HTTP',
  http2: 'HTTP2',
  http_proxy: 'HTTP_PROXY',
  https: 'HTTPS',
  mongo: 'MONGO',
  mysql: 'MYSQL',
  redis: 'REDIS',
  tcp: 'TCP',
  tls: 'TLS',
  udp: 'UDP',
  'kubernetes.io/h2c': 'HTTP2',
  'kubernetes.io/ws': 'HTTP',
  'kubernetes.io/wss': 'HTTPS',
}

/** Ports of protocols in which the server speaks first, so that sniffing would wait for ever. */
const SERVER_FIRST_PORTS = new Set([25, 53, 3306, 27017])

/**
 * The protocol that a service port declares, by appProtocol, or by its name up to the first `-`; undefined when it
 * declares none, so that the protocol is sniffed.
 */
export function declaredProtocol(port: DeclaringPort): string | undefined {
  if (port.protocol === 'UDP') return 'UDP'
  if (port.appProtocol !== undefined) {
    const declared = BY_NAME[port.appProtocol.toLowerCase()]
    if (declared !== undefined) return declared
  }
  const name = (port.name ?? '').toLowerCase()
  if (name === 'grpc-web' || name.startsWith('grpc-web-')) return 'GRPC-WEB'
  const prefix = name.split('-', 1)[0] ?? ''
  return BY_NAME[prefix] ?? (SERVER_FIRST_PORTS.has(port.port) ? 'TCP' : undefined)
}
