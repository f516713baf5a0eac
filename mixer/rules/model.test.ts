import { expect, test } from '@jest/globals'
import { mixerOf, policy, yaml } from './testing.ts'

/** `code message` of each finding. */
function findings(objects: readonly object[]): string[] {
  return mixerOf(objects)
    .mixer.findings()
    .map(({ code, line, message }) => `${code} ${line} ${message}`)
}

const handler = (params: object, compiledAdapter = 'denier') => policy('handler', 'h', { compiledAdapter, params })
const instance = (params: object, compiledTemplate = 'metric') => policy('instance', 'i', { compiledTemplate, params })
const nothing = policy('instance', 'i', { compiledTemplate: 'checknothing' })

test.each<[string, object[], string]>([
  [
    'an adapter that is none',
    [handler({}, 'deniar')],
    'LTN0402 1 spec.compiledAdapter: no adapter is "deniar"; did you mean "denier"?',
  ],
  ['no adapter', [policy('handler', 'h', {})], 'LTN0402 1 spec.compiledAdapter: must be given'],
  ['a field that is none', [handler({ statos: {} })], 'IST0106 1 spec.params.statos: unknown field'],
  ['a field of another type', [handler({ status: { code: 'x' } })], 'IST0106 1 spec.params.status.code: must be'],
  [
    'a field without effect',
    [handler({ kubeconfigPath: '/x' }, 'kubernetesenv')],
    'LTN0101 1 spec.params.kubeconfigPath: has no effect',
  ],
  [
    'a template that is none',
    [instance({}, 'metrics')],
    'LTN0402 1 spec.compiledTemplate: no template is "metrics"; did you mean "metric"?',
  ],
  [
    'a field of a template',
    [instance({ value: '1', dimension: {} })],
    'IST0106 1 spec.params.dimension: unknown field; did you mean "dimensions"?',
  ],
  ['a field that is needed', [instance({})], 'IST0106 1 spec.params.value: must be given'],
  [
    'an expression of an instance',
    [instance({ value: '1', dimensions: { a: 'b.c' } })],
    'LTN0401 1 spec.params.dimensions.a: at character 1: "b.c" is no attribute',
  ],
  [
    'the type of a field',
    [instance({ value: '1' }, 'listentry')],
    'LTN0401 1 spec.params.value: at character 1: the expression must be a STRING',
  ],
  [
    'a rule that is no BOOL',
    [policy('rule', 'r', { match: 'request.path' })],
    'LTN0401 1 spec.match: at character 1: the expression must be a BOOL',
  ],
  [
    'a handler that is not there',
    [policy('rule', 'r', { actions: [{ handler: 'h', instances: ['i'] }] }), nothing],
    'IST0101 1 spec.actions[0].handler: no handler is "h"',
  ],
  [
    'an instance that is not there',
    [handler({}), policy('rule', 'r', { actions: [{ handler: 'h', instances: ['i'] }] })],
    'IST0101 3 spec.actions[0].instances[0]: no instance is "i"',
  ],
  [
    'a template that the adapter does not take',
    [handler({}), instance({ value: '1' }), policy('rule', 'r', { actions: [{ handler: 'h', instances: ['i'] }] })],
    'LTN0403 5 spec.actions[0].instances[0]: "i" is of template metric, denier takes',
  ],
  [
    'a removal that cannot be told',
    [policy('rule', 'r', { responseHeaderOperations: [{ name: 'a', operation: 'REMOVE' }] })],
    'LTN0101 1 spec.responseHeaderOperations[0]: REMOVE has no effect',
  ],
  [
    'an attribute of another type',
    [policy('attributemanifest', 'm', { attributes: { 'source.ip': { valueType: 'STRING' } } })],
    'LTN0404 1 spec.attributes["source.ip"].valueType: "source.ip" is a IP_ADDRESS',
  ],
  [
    'a quota that is none',
    [policy('QuotaSpec', 'q', { rules: [{ quotas: [{ quota: 'x' }] }] })],
    'IST0101 1 spec.rules[0].quotas[0].quota: no instance of template quota is "x"',
  ],
  [
    'a spec that is not there',
    [policy('QuotaSpecBinding', 'b', { quotaSpecs: [{ name: 'q' }], services: [{ name: 's' }] })],
    'IST0101 1 spec.quotaSpecs[0]: QuotaSpec "istio-system/q" does not exist',
  ],
  [
    'a binding of nothing to an attribute',
    [
      policy('instance', 'i', {
        compiledTemplate: 'kubernetes',
        attributeBindings: { 'source.ip': '$out.source_labels' },
      }),
    ],
    'LTN0401 1 spec.attributeBindings["source.ip"]: at character 1: the expression must be a IP_ADDRESS',
  ],
  [
    'a list on which nothing is',
    [handler({}, 'list')],
    'IST0106 1 spec.params.overrides: nothing would be on the list',
  ],
  [
    'an address that is none',
    [handler({ overrides: ['1.2.3'], entryType: 'IP_ADDRESSES' }, 'list')],
    'IST0106 1 spec.params.overrides: "1.2.3" is no IP address',
  ],
  [
    'a quota that is there twice',
    [handler({ quotas: [{ name: 'a' }, { name: 'a' }] }, 'memquota')],
    'IST0106 1 spec.params.quotas[1].name: "a" is there twice',
  ],
  [
    'a window in Redis without end',
    [handler({ quotas: [{ name: 'a', maxAmount: 1 }] }, 'redisquota')],
    'IST0106 1 spec.params.quotas[0].validDuration: must be longer than 0',
  ],
  [
    'a name that is no metric',
    [handler({ metrics: [{ instanceName: 'a', name: 'x y' }] }, 'prometheus')],
    'IST0106 1 spec.params.metrics[0].name: "istio_x y" is no name of a metric',
  ],
])('%s', (_what, objects, finding) => {
  const [first, ...others] = findings(objects)
  expect(others).toEqual([])
  expect(first).toContain(finding)
})

test('what Istio 1.4 takes: older kinds, names in full, snake case, attributes of the user', () => {
  const objects = [
    policy('attributemanifest', 'm', { attributes: { 'my.tier': { valueType: 'STRING' } } }),
    policy('denier', 'no', { status: { code: 7 }, valid_duration: '1s' }),
    policy('checknothing', 'all', {}),
    policy('listchecker', 'versions', { overrides: ['v1'], entry_type: 'STRINGS', blacklist: true }),
    policy('listentry', 'version', { value: 'source.labels["version"] | my.tier' }),
    policy('rule', 'a', { actions: [{ handler: 'no.denier', instances: ['all.checknothing'] }] }),
    policy('rule', 'b', {
      actions: [{ handler: 'versions.listchecker.istio-system', instances: ['version.listentry'] }],
    }),
    policy('rule', 'c', { actions: [{ handler: 'no', instances: ['all'] }] }),
    policy('rule', 'd', { actions: [{ handler: 'no.istio-system', instances: ['all.istio-system'] }] }, 'elsewhere'),
  ]
  const { mixer } = mixerOf(objects)
  expect(mixer.findings()).toEqual([])
  expect(mixer.model.rules.map(({ name, actions }) => [name, actions[0]?.handler.key]).slice(0, 4)).toEqual([
    ['a', 'no.denier.istio-system'],
    ['b', 'versions.listchecker.istio-system'],
    ['c', 'no.denier.istio-system'],
    ['d', 'no.denier.istio-system'],
  ])
})

test('each object that breaks stays in its last good version, and harms no other', () => {
  const good = [
    handler({ status: { code: 7 } }),
    nothing,
    policy('rule', 'r', { match: 'request.method == "GET"', actions: [{ handler: 'h', instances: ['i'] }] }),
  ]
  const { mixer, source } = mixerOf(good)
  const names = () => mixer.model.rules.map(({ name }) => name)
  const broken = [handler({ status: { code: 'x' } }), nothing, policy('rule', 'r', { match: 'nonsense(' })]
  source.set('test.yaml', yaml([...broken, policy('rule', 'new', { actions: [{ handler: 'h', instances: ['i'] }] })]))
  expect(names()).toEqual(['r', 'new', 'kubernetesenv'])
  expect(mixer.findings().map(({ code, object }) => `${code} ${object.name}`)).toEqual(['IST0106 h', 'LTN0401 r'])
  expect(mixer.stats.findings.value).toBe(2)
  expect(mixer.model.handlers.get('h.handler.istio-system')?.params).toEqual({ status: { code: 7 } })
  // What is gone is gone, and does not come back by being broken.
  source.set('test.yaml', yaml([handler({}), nothing]))
  expect(names()).toEqual(['kubernetesenv'])
  source.set('test.yaml', yaml([handler({}), nothing, policy('rule', 'r', { match: 'nonsense(' })]))
  expect(names()).toEqual(['kubernetesenv'])
})
