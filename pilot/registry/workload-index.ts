import { type Labels, labelsMatch } from './labels.ts'
import type { Workload } from './workload.ts'

/** The workloads of the mesh by name, address and label. */
export interface WorkloadIndex {
  readonly all: readonly Workload[]
  byName(namespace: string, name: string): Workload | undefined
  byAddress(address: string): Workload | undefined
  /** Those of a namespace that a selector selects. */
  select(namespace: string, selector: Labels): readonly Workload[]
}

export function indexWorkloads(all: readonly Workload[]): WorkloadIndex {
  const byName = new Map<string, Workload>()
  const byAddress = new Map<string, Workload>()
  const byLabel = new Map<string, Workload[]>()
  for (const workload of all) {
    const name = `${workload.namespace}/${workload.name}`
    if (!byName.has(name)) byName.set(name, workload)
    for (const address of workload.addresses) if (!byAddress.has(address)) byAddress.set(address, workload)
    for (const key in workload.labels) {
      const label = labelKey(workload.namespace, key, workload.labels[key] as string)
      const found = byLabel.get(label)
      if (found === undefined) byLabel.set(label, [workload])
      else found.push(workload)
    }
  }
  return {
    all,
    byName: (namespace, name) => byName.get(`${namespace}/${name}`),
    byAddress: (address) => byAddress.get(address),
    select(namespace, selector) {
      // The rarest label of the selector leaves the fewest workloads to look at.
      let fewest: readonly Workload[] | undefined
      for (const key in selector) {
        const found = byLabel.get(labelKey(namespace, key, selector[key] as string)) ?? []
        if (fewest === undefined || found.length < fewest.length) fewest = found
      }
      return (fewest ?? []).filter((workload) => labelsMatch(selector, workload.labels))
    },
  }
}

function labelKey(namespace: string, key: string, value: string): string {
  return `${namespace}/${key}=${value}`
}
