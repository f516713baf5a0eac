/** Policy as Istio's samples have it: reviews v3 may not call ratings, and productpage takes two requests in five seconds. */
export const DENY_RULE = `apiVersion: config.istio.io/v1alpha2
kind: handler
metadata:
  name: denyreviewsv3handler
spec:
  compiledAdapter: denier
  params:
    status:
      code: 7
      message: Not allowed
---
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata:
  name: denyreviewsv3request
spec:
  compiledTemplate: checknothing
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata:
  name: denyreviewsv3
spec:
  match: destination.labels["app"] == "ratings" && source.labels["app"]=="reviews" && source.labels["version"] == "v3"
  actions:
  - handler: denyreviewsv3handler
    instances: [ denyreviewsv3request ]
`

/** `adapter` with what its parameters have beside the quotas. */
export function rateLimitRule(adapter = 'memquota', more: Record<string, unknown> = {}): string {
  const fields = Object.entries(more).map(([name, value]) => `    ${name}: ${JSON.stringify(value)}\n`)
  return `apiVersion: config.istio.io/v1alpha2
kind: handler
metadata: {name: quotahandler, namespace: istio-system}
spec:
  compiledAdapter: ${adapter}
  params:
${fields.join('')}    quotas:
    - name: requestcountquota.instance.istio-system
      maxAmount: 500
      validDuration: 1s
      overrides:
      - dimensions: {destination: reviews}
        maxAmount: 1
        validDuration: 5s
      - dimensions: {destination: productpage, source: "10.28.11.20"}
        maxAmount: 500
        validDuration: 1s
      - dimensions: {destination: productpage}
        maxAmount: 2
        validDuration: 5s
---
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata: {name: requestcountquota, namespace: istio-system}
spec:
  compiledTemplate: quota
  params:
    dimensions:
      source: request.headers["x-forwarded-for"] | "unknown"
      destination: destination.labels["app"] | destination.service.name | "unknown"
      destinationVersion: destination.labels["version"] | "unknown"
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpec
metadata: {name: request-count, namespace: istio-system}
spec:
  rules:
  - quotas:
    - {charge: 1, quota: requestcountquota}
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata: {name: request-count, namespace: istio-system}
spec:
  quotaSpecs:
  - {name: request-count, namespace: istio-system}
  services:
  - {name: productpage, namespace: default}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: quota, namespace: istio-system}
spec:
  actions:
  - handler: quotahandler
    instances: [requestcountquota]
`
}

/** A pod, as far as the mixer knows it by its address. */
export function pod(name: string, ip: string, labels: Record<string, string>, namespace = 'default'): string {
  const metadata = { name, namespace, labels }
  return `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec: {}, status: { podIP: ip } })}\n`
}
