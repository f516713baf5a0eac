import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { composeDocument, MAX_DEPTH } from './compose.ts'
import { lineAt } from './lines.ts'

function compose(text: string) {
  const composed = composeDocument(text)
  if (!composed.ok) throw new Error(JSON.stringify(composed.problems))
  return composed
}

function refusal(text: string) {
  const composed = composeDocument(text)
  return composed.ok ? undefined : composed.problems[0]
}

test('reads scalars as Kubernetes does', () => {
  const text =
    'a: yes\nb: off\nc: 22:22\nd: 0777\ne: 2024-01-01\nf: ~\ng: "on"\nh: 1_000\ni: 0x10\nj: 1e3\nk: 1.5\n80: x\non: y\n'
  expect(compose(text).value).toEqual({
    a: true,
    b: false,
    c: '22:22',
    d: 511,
    e: '2024-01-01',
    f: null,
    g: 'on',
    h: 1000,
    i: 16,
    j: 1000,
    k: 1.5,
    '80': 'x',
    on: true,
  })
})

test('knows the line of every field, in flow style, through aliases and through merge keys', () => {
  const text = `base: &base
  timeout: 1s
  retries:
    attempts: 3
flow: { a: 1,
  b: [ 1,
    { c: 2 } ] }
aliased: *base
merged:
  <<: *base
  timeout: 2s
`
  const { value, lines } = compose(text)
  expect(value).toMatchObject({ merged: { timeout: '2s', retries: { attempts: 3 } }, aliased: { timeout: '1s' } })
  const line = (...path: (string | number)[]) => lineAt(lines, path)
  expect(line('base', 'timeout')).toBe(2)
  expect(line('base', 'retries', 'attempts')).toBe(4)
  expect(line('flow')).toBe(5)
  expect(line('flow', 'b')).toBe(6)
  expect(line('flow', 'b', 1, 'c')).toBe(7)
  expect(line('aliased')).toBe(8)
  expect(line('aliased', 'retries', 'attempts')).toBe(4)
  expect(line('merged', 'timeout')).toBe(11)
  expect(line('merged', 'retries')).toBe(3)
  // Of what is absent, the nearest parent that is present.
  expect(line('merged', 'nothing', 'at', 'all')).toBe(9)
  expect(line('flow', 'b', 7)).toBe(6)
})

test('merges several maps, the earlier first and the own keys before all', () => {
  const text = 'a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]\n'
  expect(compose(text).value).toMatchObject({ c: { x: 1, y: 1, z: 3 } })
})

test('reads JSON with tabs', () => {
  expect(compose('{\n\t"a": 1,\n\t"b": [\n\t\ttrue\n\t]\n}').value).toEqual({ a: 1, b: [true] })
})

test.each([
  ['a: 1\nb: 2\na: 3\n', 'LTN0001', 3],
  ['x:\n  a: "open\n', 'LTN0001', 3],
  ['a: *nowhere\n', 'LTN0001', 1],
  ['a: &a [*a]\n', 'LTN0001', 1],
  ['a: !custom 1\n', 'LTN0001', 1],
  ['? [a]\n: 1\n', 'LTN0001', 1],
  ['a:\n  <<: 5\n', 'LTN0001', 2],
])('refuses %j with %s at line %d', (text, code, line) => {
  expect(refusal(text)).toMatchObject({ code, line })
})

test.each([
  ['brackets', '['.repeat(20_000)],
  ['closed brackets', '['.repeat(5000) + ']'.repeat(5000)],
  ['dashes', '- '.repeat(20_000)],
  ['maps', '{a: '.repeat(20_000)],
])('refuses deep nesting without ending the process: %s', (_name, text) => {
  expect(refusal(text)?.code).toBe('LTN0002')
})

test('counts depth through aliases', () => {
  const link = (n: number) => `k${n}: &k${n} ${'['.repeat(20)}*k${n - 1}${']'.repeat(20)}\n`
  const text = `k0: &k0 [1]\n${Array.from({ length: Math.ceil(MAX_DEPTH / 20) }, (_unused, n) => link(n + 1)).join('')}`
  expect(refusal(text)?.code).toBe('LTN0002')
})

test('refuses aliases that grow without bound', () => {
  const level = (n: number) =>
    `a${n}: &a${n} [${Array(10)
      .fill(`*a${n - 1}`)
      .join(', ')}]\n`
  const text = `a0: &a0 [x]\n${Array.from({ length: 9 }, (_unused, n) => level(n + 1)).join('')}`
  expect(refusal(text)).toMatchObject({ code: 'LTN0002' })
})

test('a quoted << is a key like any other', () => {
  expect(compose('{"<<": 1}').value).toEqual({ '<<': 1 })
})

test('takes __proto__ for a key like any other', () => {
  const { value } = compose('__proto__: {polluted: 1}\nlabels: {constructor: x}\n')
  expect(Object.hasOwn(value as object, '__proto__')).toBe(true)
  expect(({} as { polluted?: number }).polluted).toBeUndefined()
})

test('what it reads is frozen', () => {
  const value = compose('a: [{b: 1}]').value as { a: [object] }
  expect(Object.isFrozen(value) && Object.isFrozen(value.a) && Object.isFrozen(value.a[0])).toBe(true)
})

const json = fc.jsonValue({ maxDepth: 4 })

test('reads back what was written, in both styles', () => {
  fc.assert(
    fc.property(json, fc.boolean(), (value, flow) => {
      const plain = JSON.parse(JSON.stringify(value)) as unknown
      // The writer does not quote this key, which then means to merge.
      fc.pre(flow || !JSON.stringify(plain).includes('"<<":'))
      const text = flow ? JSON.stringify(plain, null, 1) : stringify(plain, { version: '1.1' })
      expect(compose(text).value).toEqual(plain)
    }),
  )
})

test('the line of a key is the line that holds it', () => {
  const tree = fc.letrec<{ node: unknown; map: Record<string, unknown> }>((tie) => ({
    map: fc.dictionary(fc.stringMatching(/^k[a-z]{1,4}$/), tie('node'), { minKeys: 1, maxKeys: 4 }),
    node: fc.oneof({ maxDepth: 4 }, fc.integer(), fc.array(tie('node'), { maxLength: 3 }), tie('map')),
  })).map
  fc.assert(
    fc.property(tree, (value) => {
      const text = stringify(value, { version: '1.1' })
      const { lines } = compose(text)
      const written = text.split('\n')
      const visit = (at: unknown, path: (string | number)[]) => {
        if (Array.isArray(at)) for (const [index, item] of at.entries()) visit(item, [...path, index])
        else if (at !== null && typeof at === 'object') {
          for (const [key, child] of Object.entries(at)) {
            expect(written[lineAt(lines, [...path, key]) - 1]).toContain(`${key}:`)
            visit(child, [...path, key])
          }
        }
      }
      visit(value, [])
    }),
  )
})

const SAMPLE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: &m {name: a, labels: {x: "y"}}
spec:
  hosts: [a, "*.b"] # comment
  http:
  - match: [{uri: {prefix: /a}}]
    <<: *m
    timeout: 5s
`

test('never throws, whatever is done to a text', () => {
  const edit = fc.record({
    at: fc.nat(SAMPLE.length),
    cut: fc.nat(5),
    insert: fc.string({ unit: 'binary', maxLength: 4 }),
  })
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
      let text = SAMPLE
      for (const { at, cut, insert } of edits) text = text.slice(0, at) + insert + text.slice(at + cut)
      const composed = composeDocument(text)
      if (!composed.ok) expect(composed.problems[0]?.line).toBeGreaterThan(0)
    }),
    { numRuns: 500 },
  )
})
