import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { MetadataSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import { compileMetadataMatch } from '../../plan/compile/subsets.ts'
import type { SubsetCriteria } from '../../plan/subset-criteria.ts'
import { HEALTH_FLAG } from '../health.ts'
import type { Host } from '../host.ts'
import { ANY_HOST } from '../lb/choice.ts'
import { pickerOf } from './testing.ts'

function criteria(fields: Record<string, JsonValue>, base?: SubsetCriteria): SubsetCriteria | undefined {
  return compileMetadataMatch(fromJson(MetadataSchema, { filterMetadata: { 'envoy.lb': fields } } as JsonValue), base)
}

/** Envoy's example (intro/arch_overview/upstream/load_balancing/subsets). */
const HOSTS = {
  e1: { stage: 'prod', version: '1.0', type: 'std', xlarge: true },
  e2: { stage: 'prod', version: '1.0', type: 'std' },
  e3: { stage: 'prod', version: '1.1', type: 'std' },
  e4: { stage: 'prod', version: '1.1', type: 'std' },
  e5: { stage: 'prod', version: '1.0', type: 'bigmem' },
  e6: { stage: 'prod', version: '1.1', type: 'bigmem' },
  e7: { stage: 'dev', version: '1.2-pre', type: 'std' },
}
type Name = keyof typeof HOSTS

const SELECTORS = [
  { keys: ['stage', 'type'] },
  { keys: ['stage', 'version'] },
  { keys: ['version'] },
  { keys: ['xlarge', 'version'] },
]

function subsets(config: object) {
  const groups = [{ hosts: Object.values(HOSTS).map((metadata) => ({ metadata })) }]
  const made = pickerOf(groups, { lb_subset_config: { subset_selectors: SELECTORS, ...config } })
  const names = new Map((made.hosts[0] as Host[]).map((host, i) => [host, Object.keys(HOSTS)[i] as Name]))
  /** All that are chosen in a while. */
  const chosen = (fields?: Record<string, JsonValue>) => {
    const choice = { ...ANY_HOST, criteria: fields && criteria(fields) }
    const found = new Set<Name | undefined>()
    for (let i = 0; i < 50; i++) {
      const host = made.picker.pick(choice)
      found.add(host && names.get(host))
    }
    return [...found].sort().map((name) => name ?? 'nobody')
  }
  return { ...made, chosen }
}

const DEFAULT = { fallback_policy: 'DEFAULT_SUBSET', default_subset: { stage: 'prod', version: '1.0', type: 'std' } }

test.each([
  [{ stage: 'prod', version: '1.0' }, ['e1', 'e2', 'e5']],
  [{ stage: 'prod', version: '1.1' }, ['e3', 'e4', 'e6']],
  [{ stage: 'dev', version: '1.2-pre' }, ['e7']],
  [{ stage: 'prod', type: 'std' }, ['e1', 'e2', 'e3', 'e4']],
  [{ type: 'bigmem', stage: 'prod' }, ['e5', 'e6']],
  [{ stage: 'dev', type: 'std' }, ['e7']],
  [{ version: '1.0' }, ['e1', 'e2', 'e5']],
  [{ version: '1.0', xlarge: true }, ['e1']],
  // No such values, no such keys, and values of another type: the default subset.
  [{ version: '1.3' }, ['e1', 'e2']],
  [{ type: 'std' }, ['e1', 'e2']],
  [{ version: '1.0', xlarge: 'true' }, ['e1', 'e2']],
  [undefined, ['e1', 'e2']],
] as const)('%j is served by %j', (fields, hosts) => {
  expect(subsets(DEFAULT).chosen(fields as Record<string, JsonValue>)).toEqual(hosts)
})

test('without a fallback nobody serves, with ANY_ENDPOINT all do', () => {
  expect(subsets({}).chosen({ version: '9' })).toEqual(['nobody'])
  expect(subsets({}).chosen()).toEqual(['nobody'])
  expect(subsets({ fallback_policy: 'ANY_ENDPOINT' }).chosen({ version: '9' })).toEqual(Object.keys(HOSTS))
})

test('a selector may have a fallback of its own', () => {
  const of = (selector: object, more: object = {}) =>
    subsets({
      ...DEFAULT,
      ...more,
      subset_selectors: [{ keys: ['stage', 'version'], ...selector }, { keys: ['stage'] }],
    })
  const asked = { stage: 'dev', version: '9' }
  expect(of({}).chosen(asked)).toEqual(['e1', 'e2'])
  expect(of({ fallback_policy: 'NO_FALLBACK' }).chosen(asked)).toEqual(['nobody'])
  expect(of({ fallback_policy: 'ANY_ENDPOINT' }).chosen(asked)).toEqual(Object.keys(HOSTS))
  expect(of({ fallback_policy: 'DEFAULT_SUBSET' }, { fallback_policy: 'NO_FALLBACK' }).chosen(asked)).toEqual([
    'e1',
    'e2',
  ])
  expect(of({ fallback_policy: 'KEYS_SUBSET', fallback_keys_subset: ['stage'] }).chosen(asked)).toEqual(['e7'])
})

test('panic_mode_any: any host, where the default subset has none', () => {
  const { chosen, stats } = subsets({ ...DEFAULT, default_subset: { stage: 'no' }, panic_mode_any: true })
  expect(chosen()).toEqual(Object.keys(HOSTS))
  expect(stats.lb_subsets_fallback_panic.value).toBe(50)
})

test('what is counted', () => {
  const { chosen, stats, picker, hosts } = subsets(DEFAULT)
  // stage and type 3, stage and version 3, version 3, xlarge and version 1.
  expect([stats.lb_subsets_created.value, stats.lb_subsets_active.value]).toEqual([10, 10])
  chosen({ version: '1.0' })
  chosen({ version: '9' })
  expect([stats.lb_subsets_selected.value, stats.lb_subsets_fallback.value]).toEqual([50, 50])
  picker.setHosts((hosts[0] as Host[]).slice(0, 6))
  expect([stats.lb_subsets_removed.value, stats.lb_subsets_active.value]).toEqual([3, 7])
})

test('health is looked at within the subset, and a change of it is noticed', () => {
  const { chosen, picker, hosts } = subsets({ ...DEFAULT, subset_selectors: [{ keys: ['version'] }] })
  const [e1] = hosts[0] as [Host]
  e1.setHealthFlag(HEALTH_FLAG.failedActiveCheck, true)
  picker.onHealthChange(e1)
  expect(chosen({ version: '1.0' })).toEqual(['e2', 'e5'])
  expect(chosen()).toEqual(['e2'])
})

test('criteria of a weighted cluster go over those of its route', () => {
  const route = criteria({ stage: 'prod', version: '1.0' })
  expect(criteria({ version: '1.1' }, route)).toEqual(criteria({ version: '1.1', stage: 'prod' }))
  expect(criteria({}, route)).toBe(route)
  expect(criteria({})).toBeUndefined()
})

test('values are told apart as Protobuf tells them apart', () => {
  const id = (value: JsonValue) => criteria({ k: value })?.id
  expect(id({ a: 1, b: [true] })).toBe(id({ b: [true], a: 1 }))
  expect(new Set([id(1), id('1'), id(true), id('true'), id(null), id([1]), id({ a: 1 })]).size).toBe(7)
})
