/**
 * One configuration for two data planes. Each plane has a sidecar and a gateway of its own, told apart by labels and
 * bind addresses; what they route, and how, is the same.
 */

export type PlaneName = 'envoy' | 'lateen'

export interface Addresses {
  sidecar: Record<PlaneName, string>
  gateway: Record<PlaneName, string>
  v1: string
  v2: string
  mirror: string
}

export const HTTP_PORT = 9080
export const ALT_PORT = 9090
export const GATEWAY_PORT = 8080

/** A block of loopback addresses of our own, so that runs beside each other do not meet. */
export function addresses(block: string): Addresses {
  return {
    sidecar: { envoy: `${block}.11`, lateen: `${block}.12` },
    gateway: { envoy: `${block}.13`, lateen: `${block}.14` },
    v1: `${block}.21`,
    v2: `${block}.22`,
    mirror: `${block}.23`,
  }
}

/** Hosts whose VirtualServices are in rules.ts; all of them lead to the echo servers. */
export const HOSTS = [
  'match',
  'rewrite',
  'redirect',
  'direct',
  'headers',
  'fault',
  'cors',
  'mirrored',
  'delegating',
  'weights',
  'unknown',
  'plain',
  'random',
  'exported',
  'private',
] as const

export function infrastructure(at: Addresses): string {
  return [
    ...['echo', 'shadow', ...HOSTS].map(service),
    pod('echo-v1', 'echo', 'v1', at.v1),
    pod('echo-v2', 'echo', 'v2', at.v2),
    pod('shadow', 'shadow', 'v1', at.mirror),
    destinationRule(),
    ...(['envoy', 'lateen'] as const).flatMap((plane) => [
      pod(`client-${plane}`, 'client', plane, at.sidecar[plane]),
      pod(`gateway-${plane}`, 'gateway', plane, at.gateway[plane]),
      sidecar(plane, at),
      gateway(plane, at),
    ]),
  ].join('---\n')
}

function service(name: string): string {
  const app = name === 'shadow' ? 'shadow' : 'echo'
  // Which of several hosts a balancer picks is its own business; this one, with no subset, has one.
  const selector = name === 'plain' || name === 'private' ? `${app}, version: v1` : app
  return `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  selector: { app: ${selector} }
  ports:
  - { name: http, port: ${HTTP_PORT}, targetPort: ${HTTP_PORT} }
  - { name: http-alt, port: ${ALT_PORT}, targetPort: ${HTTP_PORT} }
`
}

function pod(name: string, app: string, version: string, ip: string): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${app}, version: ${version}, role: ${app} } }
status: { podIP: ${ip} }
`
}

function destinationRule(): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo }
spec:
  host: echo
  subsets:
  - { name: v1, labels: { version: v1 } }
  - { name: v2, labels: { version: v2 } }
`
}

function sidecar(plane: PlaneName, at: Addresses): string {
  const listener = (port: number) => `  - port: { number: ${port}, protocol: HTTP, name: http-${port} }
    bind: ${at.sidecar[plane]}
    captureMode: NONE
    hosts: ["*/*"]
`
  return `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: client-${plane} }
spec:
  workloadSelector: { labels: { app: client, version: ${plane} } }
  egress:
${listener(HTTP_PORT)}${listener(ALT_PORT)}`
}

function gateway(plane: PlaneName, at: Addresses): string {
  return `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: gateway-${plane} }
spec:
  selector: { app: gateway, version: ${plane} }
  servers:
  - port: { number: ${GATEWAY_PORT}, name: http, protocol: HTTP }
    bind: ${at.gateway[plane]}
    hosts: ["*.example.com", "exact.test"]
`
}
