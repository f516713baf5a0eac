import type { ConfigObject } from '../../config/object.ts'
import type { Adapter } from '../adapters/adapter.ts'
import { kubernetesenv } from '../adapters/kubernetesenv/kubernetesenv.ts'
import { VOCABULARY } from '../attributes/vocabulary.ts'
import { compileInstance } from './instance.ts'
import { keyOf } from './names.ts'
import { ModelReport } from './report.ts'
import type { RulePlan } from './rule.ts'
import { TEMPLATES } from './templates.ts'

const NAME = 'kubernetesenv'
const NAMESPACE = 'lateen'

const SHARED = {
  uid: 'pod_uid',
  ip: 'pod_ip',
  name: 'pod_name',
  namespace: 'namespace',
  labels: 'labels',
  owner: 'owner',
  serviceAccount: 'service_account_name',
  'workload.uid': 'workload_uid',
  'workload.name': 'workload_name',
  'workload.namespace': 'workload_namespace',
  'service.uid': 'service_uid',
  'service.name': 'service_name',
  'service.namespace': 'service_namespace',
  'service.host': 'service_host',
}

/** Stands where a file would. */
const OBJECT = {
  apiVersion: 'config.istio.io/v1alpha2',
  kind: 'rule',
  metadata: { name: NAME, namespace: NAMESPACE, labels: {}, annotations: {}, creationTimestamp: '' },
  body: {},
  origin: { kind: 'rule', namespace: NAMESPACE, name: NAME, file: '', line: 0 },
  lineOf: () => 0,
  age: 0,
} as unknown as ConfigObject

/**
 * What Istio installed by default (kubeattrgenrulerule): who the two sides of a call are, by their pods. It holds as long as the
 * configuration has no instance of the kubernetes template of its own. What pods say goes after what the proxy says.
 */
export const DEFAULT_ATTRIBUTE_RULE: RulePlan = {
  name: NAME,
  namespace: NAMESPACE,
  object: OBJECT,
  match: undefined,
  actions: [
    {
      name: '',
      handler: {
        key: keyOf(NAME, 'handler', NAMESPACE),
        adapter: kubernetesenv as Adapter,
        params: {},
        object: OBJECT,
      },
      instances: [defaultInstance()],
    },
  ],
  requestOperations: [],
  responseOperations: [],
  sampler: undefined,
}

function defaultInstance() {
  const attributeBindings: Record<string, string> = {
    'destination.container.name': '$out.destination_container_name',
  }
  for (const side of ['source', 'destination']) {
    for (const [attribute, output] of Object.entries(SHARED)) {
      attributeBindings[`${side}.${attribute}`] = `$out.${side}_${output}`
    }
  }
  const report = new ModelReport(OBJECT)
  const instance = compileInstance(
    {
      key: keyOf(NAME, 'instance', NAMESPACE),
      name: NAME,
      template: TEMPLATES.get('kubernetes')!,
      params: {
        sourceUid: 'source.uid | ""',
        sourceIp: 'source.ip | ip("0.0.0.0")',
        destinationUid: 'destination.uid | ""',
        destinationIp: 'destination.ip | ip("0.0.0.0")',
        destinationPort: 'destination.port | 0',
      },
      paramsPath: [],
      attributeBindings,
    },
    VOCABULARY,
    report,
  )
  if (instance === undefined) throw new Error(report.findings.map(({ message }) => message).join())
  return instance
}
