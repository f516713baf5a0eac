/** Policy and telemetry as an installation has them: a rule that denies, one that asks a list, and Istio's metrics of HTTP. */
export const BENCH_CONFIG = `
apiVersion: config.istio.io/v1alpha2
kind: handler
metadata: {name: deny, namespace: istio-system}
spec: {compiledAdapter: denier, params: {status: {code: 7}}}
---
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata: {name: nothing, namespace: istio-system}
spec: {compiledTemplate: checknothing}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny, namespace: istio-system}
spec:
  match: destination.labels["app"] == "ratings" && source.labels["app"] == "reviews" && source.labels["version"] == "v3"
  actions: [{handler: deny, instances: [nothing]}]
---
apiVersion: config.istio.io/v1alpha2
kind: handler
metadata: {name: versions, namespace: istio-system}
spec: {compiledAdapter: listchecker, params: {overrides: [v1, v2], blacklist: false}}
---
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata: {name: version, namespace: istio-system}
spec: {compiledTemplate: listentry, params: {value: 'source.labels["version"] | "none"'}}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: versions, namespace: istio-system}
spec:
  match: request.headers["user-agent"].startsWith("curl") && destination.labels["app"] == "ratings"
  actions: [{handler: versions, instances: [version]}]
---
apiVersion: config.istio.io/v1alpha2
kind: handler
metadata: {name: prometheus, namespace: istio-system}
spec:
  compiledAdapter: prometheus
  params:
    metrics:
${[
  'requestcount requests_total COUNTER',
  'requestduration request_duration_seconds DISTRIBUTION',
  'requestsize request_bytes DISTRIBUTION',
  'responsesize response_bytes DISTRIBUTION',
]
  .map((metric) => {
    const [instance, name, kind] = metric.split(' ')
    return `    - name: ${name}\n      instance_name: ${instance}.instance.istio-system\n      kind: ${kind}\n      label_names: [reporter, source_app, source_workload, source_namespace, destination_app, destination_workload, destination_service, destination_service_name, destination_namespace, request_protocol, response_code, response_flags, connection_security_policy]`
  })
  .join('\n')}
${[
  ['requestcount', '"1"'],
  ['requestduration', 'response.duration | "0ms"'],
  ['requestsize', 'request.size | 0'],
  ['responsesize', 'response.size | 0'],
]
  .map(
    ([name, value]) => `---
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata: {name: ${name}, namespace: istio-system}
spec:
  compiledTemplate: metric
  params:
    value: ${JSON.stringify(value)}
    dimensions:
      reporter: conditional((context.reporter.kind | "inbound") == "outbound", "source", "destination")
      source_app: source.labels["app"] | "unknown"
      source_workload: source.workload.name | "unknown"
      source_namespace: source.namespace | "unknown"
      destination_app: destination.labels["app"] | "unknown"
      destination_workload: destination.workload.name | "unknown"
      destination_service: destination.service.host | "unknown"
      destination_service_name: destination.service.name | "unknown"
      destination_namespace: destination.namespace | "unknown"
      request_protocol: api.protocol | context.protocol | "unknown"
      response_code: response.code | 200
      response_flags: context.proxy_error_code | "-"
      connection_security_policy: conditional(connection.mtls | false, "mutual_tls", "none")
`,
  )
  .join('')}---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: promhttp, namespace: istio-system}
spec:
  match: (context.protocol == "http" || context.protocol == "grpc") && match((request.useragent | "-"), "kube-probe*") == false
  actions: [{handler: prometheus, instances: [requestcount, requestduration, requestsize, responsesize]}]
---
apiVersion: v1
kind: Pod
metadata: {name: reviews-v2, namespace: default, labels: {app: reviews, version: v2}}
spec: {serviceAccountName: reviews}
status: {podIP: 10.0.0.2}
---
apiVersion: v1
kind: Pod
metadata: {name: ratings-v1, namespace: default, labels: {app: ratings, version: v1}}
spec: {serviceAccountName: ratings}
status: {podIP: 10.0.0.3}
`
