import { expect, test } from '@jest/globals'
import { Memo } from './memo.ts'

test('the same inputs give the same result, made once', () => {
  const memo = new Memo()
  const input = {}
  let made = 0
  const get = (value: object) => memo.get('kind', [value, 'text', 1], () => ({ made: ++made }))
  expect(get(input)).toBe(get(input))
  expect(get({})).not.toBe(get(input))
  expect(made).toBe(2)
})

test('text that looks like another input is not taken for it', () => {
  const memo = new Memo()
  const results = [['1'], [1], [true], ['true'], [undefined], ['undefined'], ['a', 'b'], ['a b']].map((inputs) =>
    memo.get('kind', inputs, () => ({})),
  )
  expect(new Set(results).size).toBe(results.length)
})

test('what is not used for some rounds is forgotten, but not what something used was made of', () => {
  const memo = new Memo()
  const inner = () => memo.get('inner', [], () => ({}))
  const outer = () => memo.get('outer', [], () => [inner()])
  memo.get('idle', [], () => ({}))
  const first = inner()
  for (let round = 0; round < 10; round++) {
    outer()
    memo.nextRound()
  }
  expect(memo.size).toBe(2)
  expect(inner()).toBe(first)
})

test('lists and content are interned', () => {
  const memo = new Memo()
  const [a, b] = [{}, {}]
  expect(memo.list('l', [a, b])).toBe(memo.list('l', [a, b]))
  expect(memo.list('l', [b, a])).not.toBe(memo.list('l', [a, b]))
  expect(memo.intern('i', { x: 1 })).toBe(memo.intern('i', { x: 1 }))
})
