import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { objectKey, originAt, refOf } from '../object.ts'
import type { ConfigSnapshot } from '../store.ts'
import { codes, networking } from '../testing.ts'
import { MemorySource } from './memory.ts'

const rule = (name: string, host = name) => networking('DestinationRule', `host: ${host}`, name)
const names = (snapshot: ConfigSnapshot) => snapshot.objects.map((object) => object.metadata.name)
const find = (source: MemorySource, name: string) => source.current().objects.find((o) => o.metadata.name === name)

test('reads objects with their origin, metadata and lines', () => {
  const source = new MemorySource({
    'a.yaml': `${rule('one')}---
# two
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: two
  namespace: prod
  labels: {app: x, empty: }
  creationTimestamp: 2024-01-01T00:00:00Z
spec:
  host: two
  subsets:
  - name: v1
    labels: {v: "1"}
`,
  })
  expect(source.current().findings).toEqual([])
  const two = find(source, 'two')
  expect(two?.origin).toEqual({ kind: 'DestinationRule', namespace: 'prod', name: 'two', file: 'a.yaml', line: 8 })
  expect(two?.metadata).toEqual({
    name: 'two',
    namespace: 'prod',
    labels: { app: 'x', empty: '' },
    annotations: {},
    creationTimestamp: '2024-01-01T00:00:00Z',
  })
  expect(two && originAt(two, ['spec', 'subsets', 0, 'labels']).line).toBe(19)
  expect(find(source, 'one')?.metadata.namespace).toBe('default')
})

test('takes lists, as kubectl prints them', () => {
  const item = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { ports: [{ port: 1 }] },
  })
  const list = { apiVersion: 'v1', kind: 'List', items: [item('a'), item('b')] }
  const source = new MemorySource({ 'a.json': JSON.stringify(list, null, 2) })
  expect(names(source.current())).toEqual(['a', 'b'])
  expect(find(source, 'b')?.origin.line).toBe(19)
})

test('passes over what is no business of a mesh, names what is', () => {
  const source = new MemorySource({
    'a.yaml': `apiVersion: v1
kind: ServiceAccount
metadata: {name: a}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:a"}
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: strict}
---
apiVersion: networking.istio.io/v1
kind: VirtualServise
metadata: {name: a}
---
request: {method: GET}
---
just text
`,
  })
  expect(source.current().objects).toEqual([])
  expect(source.current().findings.map(({ code, line, object }) => [code, line, object.name])).toEqual([
    ['LTN0102', 9, 'strict'],
    ['LTN0102', 13, 'a'],
    ['LTN0104', 17, ''],
    ['LTN0104', 19, ''],
  ])
})

test('a document that is no YAML, and an object that is not valid, harm no other', () => {
  const source = new MemorySource({ 'a.yaml': `${rule('a')}---\na: [\n---\n${rule('b', 'B_B')}---\n${rule('c')}` })
  expect(names(source.current())).toEqual(['a', 'c'])
  expect(source.current().findings.map(({ code, object }) => [code, object.name])).toEqual([
    ['LTN0001', ''],
    ['IST0106', 'b'],
  ])
})

test('an object that becomes invalid stays in its last good version, with its age', () => {
  const source = new MemorySource({ 'a.yaml': `${rule('a')}---\n${rule('b')}` })
  const before = find(source, 'a')
  source.set('a.yaml', `${rule('a', 'B_B')}---\n${rule('b')}`)
  expect(find(source, 'a')).toBe(before)
  expect(codes(source.current().findings)).toEqual(['IST0106'])
  source.set('a.yaml', `${rule('a', 'other')}---\n${rule('b')}`)
  expect(find(source, 'a')?.body.spec).toEqual({ host: 'other' })
  expect(find(source, 'a')?.age).toBe(before?.age)
  expect(source.current().findings).toEqual([])
})

test('a file that stops being YAML keeps its objects until it is YAML again', () => {
  const source = new MemorySource({ 'a.yaml': `${rule('a')}---\n${rule('b')}`, 'b.yaml': rule('c') })
  source.set('a.yaml', `${rule('a')}---\n{`)
  expect(names(source.current()).sort()).toEqual(['a', 'b', 'c'])
  source.set('a.yaml', rule('a'))
  expect(names(source.current()).sort()).toEqual(['a', 'c'])
})

test('the last of several definitions wins, by file and place, and the others are named', () => {
  const source = new MemorySource({ 'b.yaml': rule('x', 'b'), 'a.yaml': `${rule('x', 'a1')}---\n${rule('x', 'a2')}` })
  expect(source.current().objects.map((object) => object.body.spec)).toEqual([{ host: 'b' }])
  expect(source.current().findings.map(({ code, file, line, message }) => [code, file, line, message])).toEqual([
    ['LTN0103', 'a.yaml', 1, 'is defined again at b.yaml:1, which wins'],
    ['LTN0103', 'a.yaml', 7, 'is defined again at b.yaml:1, which wins'],
  ])
  source.delete('b.yaml')
  expect(source.current().objects.map((object) => object.body.spec)).toEqual([{ host: 'a2' }])
})

test('objects that did not change stay the same objects; one that only moved keeps its body', () => {
  const source = new MemorySource({ 'a.yaml': `${rule('a')}---\n${rule('b')}`, 'c.yaml': rule('c') })
  const [a, b, c] = ['a', 'b', 'c'].map((name) => find(source, name))
  source.set('a.yaml', `${rule('a')}---\n${rule('new')}---\n${rule('b')}`)
  expect(find(source, 'a')).toBe(a)
  expect(find(source, 'c')).toBe(c)
  expect(find(source, 'b')).not.toBe(b)
  expect(find(source, 'b')?.body).toBe(b?.body)
  expect(find(source, 'b')?.origin.line).toBe((b?.origin.line ?? 0) + 6)
  expect(find(source, 'b')?.age).toBe(b?.age)
})

test('tells listeners of changes, and only of changes', () => {
  const source = new MemorySource({ 'a.yaml': rule('a') })
  const heard: string[][] = []
  const stop = source.onChange((snapshot) => heard.push(names(snapshot)))
  source.set('a.yaml', rule('a'))
  source.set('b.yaml', rule('b'))
  stop()
  source.delete('b.yaml')
  expect(heard).toEqual([['a', 'b']])
})

test('deprecated fields are moved to their successors', () => {
  const route = 'route: [{destination: {host: a}}]'
  const http = `hosts: [a]
http:
- ${route}
  mirror: {host: b}
  mirror_percent: 7
  fault: {delay: {percent: 5, fixedDelay: 1s}}
  corsPolicy: {allowOrigin: ["*", "https://a.io"]}
`
  const source = new MemorySource({ 'a.yaml': networking('VirtualService', http) })
  expect(find(source, 'x')?.body).toMatchObject({
    spec: {
      http: [
        {
          mirrorPercentage: { value: 7 },
          fault: { delay: { percentage: { value: 5 }, fixedDelay: '1s' } },
          corsPolicy: { allowOrigins: [{ regex: '.*' }, { exact: 'https://a.io' }] },
        },
      ],
    },
  })
  expect(codes(source.current().findings)).toEqual(['IST0002', 'IST0002', 'IST0002'])
})

test('an object waives warnings with the annotation, errors not', () => {
  const text = networking('DestinationRule', 'host: a\ntrafficPolicy: {tls: {mode: DISABLE}}').replace(
    '{name: x}',
    '{name: x, annotations: {galley.istio.io/analyze-suppress: "IST0101, LTN0101"}}',
  )
  expect(new MemorySource({ 'a.yaml': text }).current().findings).toEqual([])
  const wrong = text.replace('host: a', 'host: "-"').replace('LTN0101', '*')
  expect(codes(new MemorySource({ 'a.yaml': wrong }).current().findings)).toEqual(['IST0106'])
})

test('after any sequence of edits the snapshot is what a fresh reading gives, in content', () => {
  const texts = fc.constantFrom(
    rule('a'),
    rule('b'),
    `${rule('a', 'x')}---\n${rule('b')}`,
    `${rule('b', 'b2')}---\n${rule('c')}`,
    '',
  )
  const edit = fc.record({ file: fc.constantFrom('a', 'b', 'c'), text: fc.option(texts) })
  const content = (source: MemorySource) =>
    new Map(
      source
        .current()
        .objects.map((object) => [objectKey(refOf(object)), JSON.stringify([object.body, object.origin])]),
    )
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 8 }), (edits) => {
      const source = new MemorySource()
      const files: Record<string, string> = {}
      for (const { file, text } of edits) {
        if (text === null) {
          source.delete(file)
          delete files[file]
        } else {
          source.set(file, text)
          files[file] = text
        }
      }
      expect(content(source)).toEqual(content(new MemorySource(files)))
      expect(source.current().findings).toEqual(new MemorySource(files).current().findings)
      const ages = source.current().objects.map((object) => object.age)
      expect(new Set(ages).size).toBe(ages.length)
    }),
  )
})
