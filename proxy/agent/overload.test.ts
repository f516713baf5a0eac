import { expect, test } from '@jest/globals'
import { parseBootstrap } from './bootstrap.ts'
import { maxDownstreamConnections } from './overload.ts'

test('the bound of connections is read from the overload manager', () => {
  const text = `
overload_manager:
  resource_monitors:
  - name: envoy.resource_monitors.global_downstream_max_connections
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
      max_active_downstream_connections: 1000
`
  expect(maxDownstreamConnections(parseBootstrap(text, 'b.yaml'))).toBe(1000)
  expect(maxDownstreamConnections(parseBootstrap('{}', 'b.yaml'))).toBeUndefined()
})
