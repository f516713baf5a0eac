/** Configuration of a mixer that counts every call that is reported to it, by a prometheus handler. */

const object = (kind: string, name: string, spec: object) =>
  JSON.stringify({
    apiVersion: 'config.istio.io/v1alpha2',
    kind,
    metadata: { name, namespace: 'istio-system' },
    spec,
  })

const COUNTERS = {
  calls: {
    match: 'context.protocol == "http"',
    dimensions: {
      path: 'request.path | "none"',
      code: 'response.code | 0',
      service: 'destination.service.host | "none"',
      namespace: 'destination.namespace | "none"',
      app: 'destination.labels["app"] | "none"',
      tenant: 'request.headers["x-tenant"] | "none"',
      destination: 'destination.ip | ip("0.0.0.0")',
      source: 'source.ip | ip("0.0.0.0")',
    },
  },
  connections: {
    match: '(connection.event | "none") == "close"',
    dimensions: {
      service: 'destination.service.host | "none"',
      app: 'destination.labels["app"] | "none"',
      destination: 'destination.ip | ip("0.0.0.0")',
      received: 'connection.received.bytes_total | 0',
      sent: 'connection.sent.bytes_total | 0',
    },
  },
}

export const COUNTING_RULES = Object.entries(COUNTERS)
  .flatMap(([name, { match, dimensions }]) => [
    object('instance', name, { compiledTemplate: 'metric', params: { value: '1', dimensions } }),
    object('handler', name, {
      compiledAdapter: 'prometheus',
      params: {
        metrics: [
          {
            instanceName: `${name}.instance.istio-system`,
            name,
            namespace: '',
            kind: 'COUNTER',
            labelNames: Object.keys(dimensions),
          },
        ],
      },
    }),
    object('rule', name, { match, actions: [{ handler: name, instances: [name] }] }),
  ])
  .join('\n---\n')

type Counter = keyof typeof COUNTERS
export interface Counted {
  readonly labels: Readonly<Record<string, string>>
  readonly count: number
}

/** What such a mixer has counted, read from its page. */
export function counted(page: string, name: Counter): Counted[] {
  return page.split('\n').flatMap((line) => {
    if (!line.startsWith(`${name}{`)) return []
    const end = line.lastIndexOf('}')
    const labels = [...line.slice(name.length, end).matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value])
    return [{ labels: Object.fromEntries(labels), count: Number(line.slice(end + 1)) }]
  })
}

/** All that have these labels. */
export function countOf(page: string, name: Counter, labels: Readonly<Record<string, string>> = {}): number {
  const found = counted(page, name).filter((one) =>
    Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  )
  return found.reduce((sum, { count }) => sum + count, 0)
}
