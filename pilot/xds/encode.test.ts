import { fromBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
} from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import { TYPE_URL } from '../../api/type-urls.ts'
import { encodeDelta, encodeSotw } from './encode.ts'

const resource = (name: string, size: number) => ({ name, version: `v-${name}`, bytes: Buffer.alloc(size, 7) })

test('what is put together from parts reads as the message it stands for', () => {
  const resources = [resource('a', 3), resource('b', 0), resource('c', 70_000)]
  const sotw = fromBinary(DiscoveryResponseSchema, encodeSotw(TYPE_URL.cluster, resources, '12', 'n1').bytes())
  expect([sotw.versionInfo, sotw.nonce, sotw.typeUrl]).toEqual(['12', 'n1', TYPE_URL.cluster])
  expect(sotw.resources.map((r) => [r.typeUrl, r.value.length])).toEqual([
    [TYPE_URL.cluster, 3],
    [TYPE_URL.cluster, 0],
    [TYPE_URL.cluster, 70_000],
  ])
  const delta = fromBinary(
    DeltaDiscoveryResponseSchema,
    encodeDelta(TYPE_URL.cluster, resources, ['x', 'y'], '12', 'n2').bytes(),
  )
  expect([delta.systemVersionInfo, delta.nonce, delta.removedResources]).toEqual(['12', 'n2', ['x', 'y']])
  expect(delta.resources.map((r) => [r.name, r.version, r.resource?.value.length])).toEqual([
    ['a', 'v-a', 3],
    ['b', 'v-b', 0],
    ['c', 'v-c', 70_000],
  ])
})

test('the same resources are put together once, whichever list they come in', () => {
  const resources = [resource('a', 3), resource('b', 0), resource('c', 70_000)]
  const shared = (list: typeof resources) => encodeDelta(TYPE_URL.cluster, list, [], '1', 'n').shared
  expect(shared([...resources])).toBe(shared([...resources]))
  const changed = [...resources.slice(0, 2), resource('c', 80_000)]
  expect(shared(changed)).not.toBe(shared(resources))
  const names = (list: typeof resources) =>
    fromBinary(DeltaDiscoveryResponseSchema, encodeDelta(TYPE_URL.cluster, list, [], '1', 'n').bytes()).resources.map(
      (r) => [r.name, r.resource?.value.length],
    )
  expect(names(changed)).toEqual([
    ['a', 3],
    ['b', 0],
    ['c', 80_000],
  ])
  expect(names(resources.slice(0, 2))).toEqual([
    ['a', 3],
    ['b', 0],
  ])
})
