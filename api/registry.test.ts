import { expect, test } from '@jest/globals'
import { file_envoy_config_bootstrap_v3_bootstrap } from './gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { passingRegistry, REGISTRY } from './registry.ts'

test('a file names all that it imports, to the end', () => {
  const names = new Set<string>()
  const visit = (file: typeof file_envoy_config_bootstrap_v3_bootstrap): void => {
    if (names.has(file.name)) return
    names.add(file.name)
    for (const dependency of file.dependencies) visit(dependency)
  }
  visit(file_envoy_config_bootstrap_v3_bootstrap)
  expect(names).toContain('envoy/config/route/v3/route_components')
  expect(names).toContain('google/protobuf/wrappers')
})

test('fields refer to the very types that the registry knows', () => {
  const bootstrap = REGISTRY.getMessage('envoy.config.bootstrap.v3.Bootstrap')
  const node = bootstrap?.fields.find((field) => field.name === 'node')
  expect(node?.message).toBe(REGISTRY.getMessage('envoy.config.core.v3.Node'))
})

test('a passing registry knows the same types, which are others and refer to one another', () => {
  const registry = passingRegistry()
  expect([...registry].map(String)).toEqual([...REGISTRY].map(String))
  const bootstrap = registry.getMessage('envoy.config.bootstrap.v3.Bootstrap')
  expect(bootstrap).not.toBe(REGISTRY.getMessage('envoy.config.bootstrap.v3.Bootstrap'))
  expect(bootstrap?.field.node?.message).toBe(registry.getMessage('envoy.config.core.v3.Node'))
})
