/** A workload as metrics name it; '' for what is not known. */
export interface WorkloadFacts {
  readonly name: string
  readonly namespace: string
  readonly app: string
  readonly version: string
  readonly canonicalService: string
  readonly canonicalRevision: string
  readonly clusterId: string
}

/** A service as metrics name it; '' for what is not known. */
export interface ServiceFacts {
  readonly host: string
  readonly name: string
  readonly namespace: string
}

export const UNKNOWN_WORKLOAD: WorkloadFacts = {
  name: '',
  namespace: '',
  app: '',
  version: '',
  canonicalService: '',
  canonicalRevision: '',
  clusterId: '',
}

const MAX_REMEMBERED = 16_384
const remembered = new Map<string, WorkloadFacts>()

/**
 * Of an endpoint's `workload;namespace;canonical name;canonical revision;cluster`, as Istio writes it. The same text is the same
 * object: series are found by it, and endpoints are told of again and again.
 */
export function workloadOfText(text: string): WorkloadFacts {
  const found = remembered.get(text)
  if (found !== undefined) return found
  const [name = '', namespace = '', canonicalService = '', canonicalRevision = '', clusterId = ''] = text.split(';')
  const facts = { ...UNKNOWN_WORKLOAD, name, namespace, canonicalService, canonicalRevision, clusterId }
  if (remembered.size >= MAX_REMEMBERED) remembered.clear()
  remembered.set(text, facts)
  return facts
}
