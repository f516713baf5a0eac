import { expect, test } from '@jest/globals'
import { listenerPlan, tcpChain, typed } from '../testing.ts'

const filter = (type: string, config: object = {}) => ({
  name: type,
  typedConfig: typed(`filters.listener.${type}`, config),
})
const INSPECTOR = 'tls_inspector.v3.TlsInspector'

test('listener filters are taken with their settings', () => {
  const { listenerFilters, listenerFiltersTimeoutMs, continueOnListenerFiltersTimeout } = listenerPlan({
    filterChains: [tcpChain('c')],
    listenerFilters: [
      filter('original_dst.v3.OriginalDst'),
      filter('proxy_protocol.v3.ProxyProtocol', {
        allowRequestsWithoutProxyProtocol: true,
        disallowedVersions: ['V1'],
      }),
      filter(INSPECTOR),
      filter('http_inspector.v3.HttpInspector'),
    ],
    continueOnListenerFiltersTimeout: true,
  })
  expect(listenerFilters).toEqual([
    { kind: 'original_dst', isDisabled: undefined },
    { kind: 'proxy_protocol', isDisabled: undefined, isOptional: true, versions: { v1: false, v2: true } },
    { kind: 'tls_inspector', isDisabled: undefined },
    { kind: 'http_inspector', isDisabled: undefined },
  ])
  expect([listenerFiltersTimeoutMs, continueOnListenerFiltersTimeout]).toEqual([15_000, true])
  const off = listenerPlan({ filterChains: [tcpChain('c')], listenerFiltersTimeout: '0s' })
  expect([off.listenerFiltersTimeoutMs, off.continueOnListenerFiltersTimeout]).toEqual([0, false])
})

test('filter_disabled is a predicate over the destination port', () => {
  const range = (start: number, end: number) => ({ destinationPortRange: { start, end } })
  const rules: [object, number[]][] = [
    [range(80, 82), [80, 81]],
    [{ notMatch: range(80, 82) }, [79, 82]],
    [{ anyMatch: true }, [79, 80, 81, 82]],
    [{ orMatch: { rules: [range(79, 80), range(82, 83)] } }, [79, 82]],
    [{ andMatch: { rules: [range(79, 81), range(80, 83)] } }, [80]],
  ]
  for (const [filterDisabled, expected] of rules) {
    const plan = listenerPlan({
      filterChains: [tcpChain('c')],
      listenerFilters: [{ ...filter(INSPECTOR), filterDisabled }],
    })
    const isDisabled = plan.listenerFilters[0]?.isDisabled
    expect([79, 80, 81, 82].filter((port) => isDisabled?.(port))).toEqual(expected)
  }
})

test('a plain listener has one chain for all', () => {
  expect(listenerPlan({ filterChains: [tcpChain('c')] }).plainChain?.filter.statPrefix).toBe('c')
  expect(listenerPlan({ defaultFilterChain: tcpChain('d') }).plainChain?.filter.statPrefix).toBe('d')
  const matched = tcpChain('c', { filterChainMatch: { destinationPort: 1 } })
  expect(listenerPlan({ filterChains: [matched] }).plainChain).toBeUndefined()
  expect(listenerPlan({ filterChains: [matched, tcpChain('d')] }).plainChain).toBeUndefined()
})

test('a connection limit may stand before the last filter', () => {
  const limited = (config: object) => {
    const limit = typed('filters.network.connection_limit.v3.ConnectionLimit', { statPrefix: 'p', ...config })
    const last = (tcpChain('c') as { filters: object[] }).filters
    return { filterChains: [{ filters: [{ name: 'limit', typedConfig: limit }, ...last] }] }
  }
  const plan = listenerPlan(limited({ maxConnections: '7', delay: '0.5s' }))
  expect(plan.filterChains[0]?.connectionLimit).toEqual({ statPrefix: 'p', maxConnections: 7, delayMs: 500 })
  expect(() => listenerPlan(limited({}))).toThrow(/filters\[0\].typed_config.max_connections/)
})

const match = (filterChainMatch: object) => tcpChain('c', { filterChainMatch })
const prefix = (addressPrefix: string, prefixLen: number) => ({ prefixRanges: [{ addressPrefix, prefixLen }] })

test.each([
  [
    'two chains of the same match',
    { filterChains: [tcpChain('a'), tcpChain('b')] },
    'filter_chains[1].filter_chain_match: matches the same connections as that of filter_chains[0]',
  ],
  [
    'overlapping lists',
    { filterChains: [match({ serverNames: ['a', 'b'] }), match({ serverNames: ['B', 'c'] })] },
    'filter_chains[1].filter_chain_match',
  ],
  [
    'the same prefix written otherwise',
    { filterChains: [match(prefix('10.0.0.0', 8)), match(prefix('10.1.1.1', 8))] },
    'filter_chains[1].filter_chain_match',
  ],
  [
    'partial wildcards',
    { filterChains: [match({ serverNames: ['*a.example'] })] },
    'filter_chains[0].filter_chain_match.server_names[0]: partial wildcards',
  ],
  [
    'wildcards in the middle',
    { filterChains: [match({ serverNames: ['a.*.example'] })] },
    'server_names[0]: partial wildcards',
  ],
  ['prefixes that are none', { filterChains: [match(prefix('10.0.0', 8))] }, 'prefix_ranges[0].address_prefix'],
  [
    'prefixes that are too long',
    { filterChains: [match(prefix('10.0.0.0', 33))] },
    'prefix_ranges[0].prefix_len: at most 32',
  ],
  ['suffixes', { filterChains: [match({ addressSuffix: '10.0.0.0' })] }, 'address_suffix'],
  ['no chain', {}, 'filter_chains: at least one'],
  [
    'unknown listener filters',
    {
      filterChains: [tcpChain('c')],
      listenerFilters: [{ name: 'x', typedConfig: typed('filters.http.router.v3.Router') }],
    },
    'listener_filters[0]',
  ],
  [
    'listener filters without configuration',
    { filterChains: [tcpChain('c')], listenerFilters: [{ name: 'x' }] },
    'listener_filters[0].typed_config',
  ],
  ['transparent sockets', { filterChains: [tcpChain('c')], transparent: true }, 'transparent'],
  [
    'the old way to PROXY headers',
    { filterChains: [tcpChain('c', { useProxyProto: true })] },
    'filter_chains[0].use_proxy_proto',
  ],
])('refuses %s', (_what, fields, message) => {
  expect(() => listenerPlan(fields)).toThrow(message)
})

test('the same name on another port is another match', () => {
  const chains = [match({ serverNames: ['a'], destinationPort: 1 }), match({ serverNames: ['a'], destinationPort: 2 })]
  expect(listenerPlan({ filterChains: chains }).filterChains).toHaveLength(2)
})
