import { choice, fixedChoice } from '../model/build.ts'
import type { Variable } from '../model/dashboard.ts'

/** Every set of the labels `by` that calls or TCP connections have. */
function seen(by: readonly string[], matchers = ''): string {
  const one = (name: string) => `sum by (${by.join(', ')}) (${name}${matchers})`
  return `${one('istio_requests_total')} or ${one('istio_tcp_sent_bytes_total')}`
}

export function serviceChoice(): Variable {
  return choice('service', 'Service', 'destination_service', seen(['destination_service']))
}

export function namespaceChoice(): Variable {
  const by = ['destination_workload_namespace']
  return choice('namespace', 'Namespace', 'destination_workload_namespace', seen(by))
}

export function workloadChoice(): Variable {
  const within = seen(['destination_workload'], '{destination_workload_namespace=~"$namespace"}')
  return choice('workload', 'Workload', 'destination_workload', within)
}

/** Of the version of what serves the service. */
export function versionChoice(name: string, label: string): Variable {
  return choice(name, label, 'destination_version', seen(['destination_version'], '{destination_service=~"$service"}'))
}

/** One or more workloads or namespaces at the other end. */
export function peerChoice(name: string, label: string, of: string, matchers = ''): Variable {
  return choice(name, label, of, seen([of], matchers), true)
}

/** Whose count of a call is seen: of the side that was called, or of the caller, who also sees what never arrived. */
export function reporterChoice(): Variable {
  return fixedChoice('reporter', 'Reporter', ['destination', 'source'])
}
