import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const SERVICE_COUNT = 1000

/** Two addresses a service; `generation` moves the first one, as a redeployed endpoint does. */
function serviceEntry(i: number, generation = 0): string {
  const a = `10.${1 + Math.floor(i / 250)}.${i % 250}.${1 + generation}`
  const b = `10.${1 + Math.floor(i / 250)}.${i % 250}.200`
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: svc-${i}, namespace: default }
spec:
  hosts: [svc-${i}.example.com]
  addresses: [240.${1 + Math.floor(i / 250)}.${i % 250}.1]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [ { number: 80, name: http, protocol: HTTP } ]
  endpoints:
  - { address: ${a}, labels: { version: v1 } }
  - { address: ${b}, labels: { version: v2 } }
`
}

function virtualService(i: number, timeoutS: number): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: vs-${i}, namespace: default }
spec:
  hosts: [svc-${i}.example.com]
  http:
  - timeout: ${timeoutS}s
    route: [ { destination: { host: svc-${i}.example.com } } ]
`
}

/** Writes as an operator's tool does: the whole file beside the old one, then renamed over it. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.tmp`, text)
  renameSync(`${file}.tmp`, file)
}

export function writeConfig(dir: string): void {
  mkdirSync(dir, { recursive: true })
  for (let i = 0; i < SERVICE_COUNT; i++) replace(join(dir, `se-${i}.yaml`), serviceEntry(i))
  replace(join(dir, 'vs-7.yaml'), virtualService(7, 3))
}

export function changeEndpoint(dir: string, round: number): void {
  replace(join(dir, 'se-42.yaml'), serviceEntry(42, round))
}

export function changeVirtualService(dir: string, round: number): void {
  replace(join(dir, 'vs-7.yaml'), virtualService(7, 10 + round))
}
