/** A service whose pods have its name as their label `app`. */
export function serviceYaml(name: string, port: number): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  selector: { app: ${name} }
  ports: [{ name: http, port: ${port} }]
`
}

/** `labels` as YAML in one line, without its braces. */
export function podYaml(name: string, labels: string, ip: string): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { ${labels} } }
status: { podIP: ${ip} }
`
}

/** The sidecar of the workload `client`: it listens for calls to others itself, at this address. */
export function clientSidecarYaml(address: string, port: number): string {
  return `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: client }
spec:
  workloadSelector: { labels: { app: client } }
  egress:
  - port: { number: ${port}, protocol: HTTP, name: http }
    bind: ${address}
    captureMode: NONE
    hosts: ["./*"]
`
}
