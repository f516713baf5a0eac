import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { MemorySource } from '../../config/sources/memory.ts'
import type { Agent } from '../../proxy/agent/agent.ts'
import type { LocalPlane } from '../../proxy/agent/planes.ts'
import type { Cluster } from '../../proxy/upstream/cluster.ts'
import { HEALTH_FLAG } from '../../proxy/upstream/health.ts'
import { eventually } from '../support/eventually.ts'
import { HttpLoad } from '../support/http-load.ts'
import { canConnect, loopbackBlock, Mesh, type Workload } from '../support/mesh.ts'

/** Two gateways in two regions under one pilot: each calls what is near, and turns to the other region when that fails. */

const REGIONS = ['eu', 'us'] as const
type Region = (typeof REGIONS)[number]
const PORT = 8080
const block = loopbackBlock()
const gatewayAt: Record<Region, string> = { eu: `${block}.11`, us: `${block}.12` }
const hostsAt: Record<Region, readonly string[]> = {
  eu: [`${block}.21`, `${block}.22`],
  us: [`${block}.31`, `${block}.32`],
}
const REQUESTS = 200

let server: Server
let source: MemorySource
let mesh: Mesh
const agents = {} as Record<Region, Agent>
const loads = {} as Record<Region, HttpLoad>

beforeAll(async () => {
  server = createServer((request, response) => {
    response.setHeader('x-from-upstream', request.socket.localAddress ?? '')
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
  source = new MemorySource({ 'mesh.yaml': configuration(REGIONS) })
  mesh = new Mesh(source)
  await mesh.start()
  for (const region of REGIONS) {
    agents[region] = await mesh.addProxy(gateway(region))
    loads[region] = new HttpLoad(gatewayAt[region], PORT)
    await eventually(() => canConnect(gatewayAt[region], PORT))
    await eventually(async () => expect((await load(region, 1)).errors).toEqual([]))
  }
}, 60_000)

afterAll(async () => {
  for (const region of REGIONS) loads[region]?.close()
  await mesh.stop()
  server.closeAllConnections()
  server.close()
}, 20_000)

function gateway(region: Region): Workload {
  const labels = { app: region, 'istio-locality': `${region}.a` }
  return { type: 'router', name: `gateway-${region}`, ip: gatewayAt[region], labels }
}

function configuration(regions: readonly Region[]): string {
  const { port } = server.address() as AddressInfo
  const gateways = REGIONS.map(
    (region) => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${region} }
spec:
  selector: { app: ${region} }
  servers: [{ bind: ${gatewayAt[region]}, port: { number: ${PORT}, name: http, protocol: HTTP }, hosts: ['*'] }]
---`,
  )
  const endpoints = regions.flatMap((region) =>
    hostsAt[region].map((address) => `{ address: ${address}, locality: ${region}/a }`),
  )
  return `${gateways.join('\n')}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: backend }
spec:
  hosts: [backend.internal]
  resolution: STATIC
  ports: [{ number: ${port}, name: http, protocol: HTTP }]
  endpoints: [${endpoints.join(', ')}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: backend }
spec:
  host: backend.internal
  trafficPolicy: { outlierDetection: { consecutive5xxErrors: 5 } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: ['*']
  gateways: [eu, us]
  http: [{ route: [{ destination: { host: backend.internal } }] }]
`
}

const load = (region: Region, count = REQUESTS) => loads[region].run(count, () => ({ host: 'web', path: '/' }))

/** Which hosts answer the gateway of a region, sorted; errors are beside them. */
async function answering(region: Region): Promise<string[]> {
  const { byServer, errors } = await load(region)
  return [...Object.keys(byServer).sort(), ...new Set(errors)]
}

/** Marks hosts as the outlier detection of one proxy would. */
function eject(region: Region, addresses: readonly string[], isSet: boolean): void {
  const { plane } = agents[region].planes as LocalPlane
  const { port } = server.address() as AddressInfo
  const cluster = plane.cluster(`outbound|${port}||backend.internal`) as Cluster
  for (const host of cluster.hosts) {
    if (addresses.includes(host.plan.address)) cluster.setHealthFlag(host, HEALTH_FLAG.failedOutlierCheck, isSet)
  }
}

test('each gateway calls its own region', async () => {
  for (const region of REGIONS) expect(await answering(region)).toEqual(hostsAt[region])
})

test('when all of a region are ejected its callers turn to the other one, and come back', async () => {
  eject('eu', hostsAt.eu, true)
  expect(await answering('eu')).toEqual(hostsAt.us)
  expect(await answering('us')).toEqual(hostsAt.us)
  eject('eu', hostsAt.eu, false)
  expect(await answering('eu')).toEqual(hostsAt.eu)
})

test('when half of a region are ejected the rest get 70% of its requests', async () => {
  const [ejected, left] = hostsAt.eu as [string, string]
  eject('eu', [ejected], true)
  const count = 2_000
  const { byServer } = await load('eu', count)
  eject('eu', [ejected], false)
  expect(byServer[ejected]).toBeUndefined()
  expect(Math.abs((byServer[left] as number) - 0.7 * count)).toBeLessThan(4.5 * Math.sqrt(0.7 * 0.3 * count))
})

test('when a region has no endpoints left its callers turn to the other one, and come back', async () => {
  source.set('mesh.yaml', configuration(['us']))
  await eventually(async () => expect(await answering('eu')).toEqual(hostsAt.us))
  source.set('mesh.yaml', configuration(REGIONS))
  await eventually(async () => expect(await answering('eu')).toEqual(hostsAt.eu))
})
