import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { TYPE_URL, type TypeUrl } from '../api/type-urls.ts'
import { MemorySource } from '../config/sources/memory.ts'
import { ManualClock } from '../lib/clock.ts'
import { MetricStore } from '../lib/metrics/store.ts'
import { Publisher } from './publisher.ts'
import { decode } from './testing/decode.ts'
import { istio, kubernetes, node, publisherOf, serviceYaml } from './testing/mesh.ts'

const TYPES: readonly TypeUrl[] = [
  TYPE_URL.cluster,
  TYPE_URL.endpoint,
  TYPE_URL.listener,
  TYPE_URL.route,
  TYPE_URL.virtualHost,
]

function rule(name: string, timeout: string): string {
  return istio('VirtualService', name, { hosts: [name], http: [{ timeout, route: [{ destination: { host: name } }] }] })
}

function pod(app: string, ip: string): string {
  return kubernetes('Pod', app, { status: { podIP: ip } }, { labels: { app } })
}

test('a change is published when nothing else changed for a while, or when it has waited long enough', () => {
  const { source, clock, publisher } = publisherOf({ 'a.yaml': serviceYaml('a') })
  const seen: number[] = []
  const stop = publisher.onGeneration((generation) => seen.push(generation))
  source.set('b.yaml', serviceYaml('b'))
  clock.advance(99)
  source.set('c.yaml', serviceYaml('c'))
  clock.advance(99)
  expect(publisher.generation).toBe(1)
  clock.advance(1)
  expect(seen).toEqual([2])

  // Never quiet: the first of these changes waits a second, and no longer.
  for (let i = 0; i < 25; i++) {
    source.set('d.yaml', serviceYaml(`d${i}`))
    clock.advance(40)
    expect(seen).toEqual(i < 24 ? [2] : [2, 3])
  }
  stop()
  publisher.close()
  expect(clock.pendingTimers).toBe(0)
})

test('it is counted how long the first of the changes waited for the translation that holds it', () => {
  const source = new MemorySource({ 'a.yaml': serviceYaml('a') })
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const publisher = new Publisher({ source, clock, metrics })
  source.set('b.yaml', serviceYaml('b'))
  clock.advance(50)
  source.set('c.yaml', serviceYaml('c'))
  clock.advance(100)
  const [reading] = metrics.histograms()
  expect(reading?.name).toBe('pilot_debounce_time')
  expect(reading?.sum).toBeCloseTo(0.15, 9)
  publisher.close()
})

test('each kind of change makes anew only what depends on it', () => {
  const files = {
    's.yaml': serviceYaml('a') + serviceYaml('b'),
    'v.yaml': rule('a', '1s'),
    'p.yaml': pod('a', '10.1.0.1'),
  }
  const { source, publisher } = publisherOf(files)
  const changes = (file: string, text: string) => {
    const before = publisher.viewFor(node())
    const lists = TYPES.map((type) => before.list(type))
    source.set(file, text)
    publisher.flush()
    const after = publisher.viewFor(node())
    return TYPES.filter((type, i) => after.list(type) !== lists[i])
  }
  expect(changes('p.yaml', pod('a', '10.1.0.2'))).toEqual([TYPE_URL.endpoint])
  expect(changes('v.yaml', rule('a', '2s'))).toEqual([TYPE_URL.route, TYPE_URL.virtualHost])
  const random = istio('DestinationRule', 'b', { host: 'b', trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } })
  expect(changes('d.yaml', random)).toEqual([TYPE_URL.cluster])
  expect(changes('v.yaml', rule('a', '2s'))).toEqual([])
})

test('a rule changes its own virtual host and no other', () => {
  const { source, publisher } = publisherOf({
    's.yaml': serviceYaml('a') + serviceYaml('b'),
    'v.yaml': rule('a', '1s'),
  })
  const host = (name: string) => publisher.viewFor(node()).get(TYPE_URL.virtualHost, `80/${name}`)
  const [a, b] = [host('a'), host('b')]
  source.set('v.yaml', rule('a', '2s'))
  publisher.flush()
  expect(host('a')?.version).not.toBe(a?.version)
  expect(host('b')).toBe(b)
})

test('virtual hosts are found by name and by any domain, and are what the table holds', () => {
  const { publisher } = publisherOf({ 's.yaml': serviceYaml('a') })
  const view = publisher.viewFor(node())
  const byDomain = view.get(TYPE_URL.virtualHost, '80/a.default')
  expect(byDomain?.name).toBe('80/a.default.svc.cluster.local:80')
  expect(view.get(TYPE_URL.virtualHost, '80/a.default.svc.cluster.local:80')).toBe(byDomain)
  expect(view.get(TYPE_URL.virtualHost, '80/nobody')).toBeUndefined()
  expect(view.get(TYPE_URL.virtualHost, '81/a')).toBeUndefined()
  const table = decode(TYPE_URL.route, view.get(TYPE_URL.route, '80')!) as { virtual_hosts: unknown[] }
  expect(table.virtual_hosts[0]).toEqual(decode(TYPE_URL.virtualHost, byDomain!))
})

test('alike nodes share a view; it belongs to one generation', () => {
  const { source, publisher } = publisherOf({ 's.yaml': serviceYaml('a') })
  const first = publisher.viewFor(node({ name: 'x-1', ip: '10.0.0.1' }))
  expect(publisher.viewFor(node({ name: 'x-2', ip: '10.0.0.2' }))).toBe(first)
  expect(publisher.viewFor(node({ namespace: 'other' }))).not.toBe(first)
  source.set('b.yaml', serviceYaml('b'))
  publisher.flush()
  expect(publisher.viewFor(node()).generation).toBe(2)
  expect(first.list(TYPE_URL.route)).toHaveLength(1)
})

test('references that lead nowhere are findings, and their routes stay', () => {
  const lost = istio('VirtualService', 'a', {
    hosts: ['a'],
    http: [
      { match: [{ uri: { prefix: '/x' } }], route: [{ destination: { host: 'nobody' } }] },
      { route: [{ destination: { host: 'a', subset: 'v9' } }] },
    ],
  })
  const { publisher } = publisherOf({ 's.yaml': serviceYaml('a'), 'v.yaml': lost })
  expect(publisher.findings.map(({ code, object, message }) => [code, object.name, message])).toEqual([
    ['IST0101', 'a', 'the host nobody.default.svc.cluster.local is not known'],
    ['IST0101', 'a', 'no DestinationRule gives a.default.svc.cluster.local a subset v9'],
  ])
  const host = decode(TYPE_URL.virtualHost, publisher.viewFor(node()).get(TYPE_URL.virtualHost, '80/a')!)
  expect(JSON.stringify(host)).toContain('outbound|80||nobody.default.svc.cluster.local')
  expect(JSON.stringify(host)).toContain('outbound|80|v9|a.default.svc.cluster.local')
})

test('a description lists what a node is given', () => {
  const { publisher } = publisherOf({ 's.yaml': serviceYaml('a') })
  const { generation, resources } = publisher.describe(node())
  expect(generation).toBe(1)
  expect(resources.RDS?.map(({ name }) => name)).toEqual(['80'])
})

test('unchanged resources keep their identity, whatever changes and in whatever order', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const change = fc.oneof(
    fc.record({
      file: name.map((n) => `pod-${n}`),
      text: fc.tuple(name, fc.constantFrom('10.1.0.1', '10.1.0.2')).map(([n, ip]) => pod(n, ip)),
    }),
    fc.record({
      file: name.map((n) => `rule-${n}`),
      text: fc.tuple(name, fc.constantFrom('1s', '2s')).map(([n, t]) => rule(n, t)),
    }),
    fc.record({ file: name.map((n) => `service-${n}`), text: name.map((n) => serviceYaml(n)) }),
  )
  const all = (publisher: ReturnType<typeof publisherOf>['publisher']) => {
    const view = publisher.viewFor(node())
    return TYPES.flatMap((type) => view.list(type).map((resource) => ({ type, resource })))
  }
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const { source, publisher } = publisherOf({ 'service-a': serviceYaml('a') })
      for (const { file, text } of changes) {
        const before = all(publisher)
        source.set(file, text)
        publisher.flush()
        for (const { type, resource } of all(publisher)) {
          const known = before.find((b) => b.type === type && b.resource.name === resource.name)?.resource
          if (known !== undefined && known.version === resource.version) expect(resource).toBe(known)
        }
      }
      // A publisher that saw only the end makes the same of it. (The order in a table is that of age, which it cannot
      // know.)
      const files = Object.fromEntries([['service-a', serviceYaml('a')], ...changes.map((c) => [c.file, c.text])])
      const versions = (p: typeof publisher) =>
        all(p)
          .filter(({ type }) => type !== TYPE_URL.route && type !== TYPE_URL.listener)
          .map(({ resource }) => `${resource.name} ${resource.version}`)
          .sort()
      expect(versions(publisher)).toEqual(versions(publisherOf(files).publisher))
    }),
    { numRuns: 40 },
  )
})
