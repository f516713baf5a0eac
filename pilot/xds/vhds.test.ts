import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { RouteConfigurationSchema } from '../../api/gen/envoy/config/route/v3/route_pb.js'
import { TYPE_URL, type TypeUrl } from '../../api/type-urls.ts'
import { changedNames } from './changes.ts'
import { VhdsView } from './vhds.ts'
import type { EncodedResource, ResourceView } from './view.ts'

function table(hosts: readonly string[], version: string): EncodedResource {
  const message = create(RouteConfigurationSchema, {
    name: '80',
    ignorePortInHostMatching: true,
    virtualHosts: hosts.map((name) => ({ name, domains: [name] })),
  })
  return { name: '80', version, bytes: toBinary(RouteConfigurationSchema, message) }
}

function viewOf(resources: Partial<Record<TypeUrl, readonly EncodedResource[]>>): ResourceView {
  const list = (type: TypeUrl) => resources[type] ?? []
  return { generation: 1, list, get: (type, name) => list(type).find((r) => r.name === name) }
}

test('a route table comes without its virtual hosts, and says where they come from', () => {
  const view = VhdsView.of(viewOf({ [TYPE_URL.route]: [table(['a', 'b'], '1')] }))
  const shell = fromBinary(RouteConfigurationSchema, view.get(TYPE_URL.route, '80')?.bytes as Uint8Array)
  expect(shell.virtualHosts).toEqual([])
  expect([shell.name, shell.ignorePortInHostMatching]).toEqual(['80', true])
  expect(shell.vhds?.configSource?.configSourceSpecifier.case).toBe('ads')
})

test('a changed virtual host does not change the table', () => {
  const versions = [table(['a'], '1'), table(['a', 'b'], '2')].map(
    (t) => VhdsView.of(viewOf({ [TYPE_URL.route]: [t] })).get(TYPE_URL.route, '80')?.version,
  )
  expect(versions[0]).toBe(versions[1])
})

test('the same view is wrapped once', () => {
  const view = viewOf({})
  expect(VhdsView.of(view)).toBe(VhdsView.of(view))
})

test('changed names are those that came, went or differ', () => {
  const resource = (name: string, version: string) => ({ name, version, bytes: new Uint8Array() })
  const before = viewOf({ [TYPE_URL.endpoint]: [resource('same', '1'), resource('moved', '1'), resource('gone', '1')] })
  const after = viewOf({ [TYPE_URL.endpoint]: [resource('same', '1'), resource('moved', '2'), resource('new', '1')] })
  expect([...changedNames(before, after, TYPE_URL.endpoint)].sort()).toEqual(['gone', 'moved', 'new'])
})
