import type { Block, Endpoint } from './addresses.ts'

/** One version of one service, on loopback addresses of its own. */
export interface Workload {
  /** Its pod, its sidecar and its files are called so. */
  readonly name: string
  readonly service: string
  readonly version: string
  /** The pod's address. */
  readonly ip: string
  /** What the sidecar takes calls from others on. */
  readonly inbound: Endpoint
  /** What the app listens on, behind the sidecar. */
  readonly app: Endpoint
  /** What the app sends its own calls to. */
  readonly egress: Endpoint
  readonly admin: Endpoint
}

/** Where everything is. The ports are always the same; the block keeps demos apart. */
export interface Layout {
  readonly xds: Endpoint
  readonly pilot: Endpoint
  /** Where certificates are given. */
  readonly ca: Endpoint
  readonly gatewayIp: string
  readonly gatewayAdmin: Endpoint
  readonly productpage: Workload
  readonly details: Workload
  readonly ratings: Workload
  readonly reviewsV1: Workload
  readonly reviewsV2: Workload
}

/** The port of every service of Bookinfo. */
export const SERVICE_PORT = 9080
const APP_PORT = 9081
const ADMIN_PORT = 15000

export function layoutOf(block: Block): Layout {
  const workload = (service: string, version: string, number: number): Workload => {
    const ip = `${block}.${number}`
    return {
      name: `${service}-${version}`,
      service,
      version,
      ip,
      inbound: { host: ip, port: SERVICE_PORT },
      app: { host: ip, port: APP_PORT },
      // Next to the pod's own address, since calls out and calls in have the same port.
      egress: { host: `${block}.${number + 100}`, port: SERVICE_PORT },
      admin: { host: ip, port: ADMIN_PORT },
    }
  }
  return {
    xds: { host: `${block}.1`, port: 15010 },
    pilot: { host: `${block}.1`, port: 15014 },
    ca: { host: `${block}.1`, port: 15012 },
    gatewayIp: `${block}.2`,
    gatewayAdmin: { host: `${block}.2`, port: ADMIN_PORT },
    productpage: workload('productpage', 'v1', 11),
    details: workload('details', 'v1', 12),
    ratings: workload('ratings', 'v1', 13),
    reviewsV1: workload('reviews', 'v1', 21),
    reviewsV2: workload('reviews', 'v2', 22),
  }
}

/** All workloads that are there before the release. */
export function firstWorkloads(layout: Layout): Workload[] {
  return [layout.productpage, layout.details, layout.reviewsV1, layout.ratings]
}

/** Everything that must be free. */
export function endpointsOf(block: Block): Endpoint[] {
  const layout = layoutOf(block)
  const workloads = [...firstWorkloads(layout), layout.reviewsV2]
  return [
    layout.xds,
    layout.pilot,
    layout.ca,
    layout.gatewayAdmin,
    ...workloads.flatMap(({ inbound, app, egress, admin }) => [inbound, app, egress, admin]),
  ]
}

export function hostPort({ host, port }: Endpoint): string {
  return `${host}:${port}`
}
