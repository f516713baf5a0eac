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

test('the results of a list are made for what is new in it, and the list of them stays while they do', () => {
  const memo = new Memo()
  const [a, b, c] = [{ n: 1 }, { n: 2 }, { n: 3 }]
  const made: number[] = []
  const each = (items: readonly { n: number }[]) =>
    memo.each('double', items, [], ({ n }) => {
      made.push(n)
      return n * 2
    })
  const first = each([a, b])
  expect(first).toEqual([2, 4])
  expect(each([a, b])).toBe(first)
  expect(each([c, a, b])).toEqual([6, 2, 4])
  expect(each([b, c])).toEqual([4, 6])
  expect(made).toEqual([1, 2, 3])
  expect(each([a])).toEqual([2])
  expect(made).toEqual([1, 2, 3, 1])
})

test('of two lists side by side a result is made again when either member changes', () => {
  const memo = new Memo()
  const [a, b, x, y] = [{ n: 1 }, { n: 2 }, { n: 10 }, { n: 20 }]
  let made = 0
  const sums = (items: readonly { n: number }[], beside: readonly { n: number }[]) =>
    memo.eachPair('sum', items, beside, [], (one, other) => {
      made++
      return one.n + other.n
    })
  expect(sums([a, b], [x, x])).toEqual([11, 12])
  expect(sums([a, b], [x, y])).toEqual([11, 22])
  expect(made).toBe(3)
  expect(sums([b, a], [y, y])).toEqual([22, 21])
  expect(made).toBe(4)
})

test('what the results of a list were made with is kept as long as they are', () => {
  const memo = new Memo()
  const items = [{}, {}]
  const inner = (item: object) => memo.get('inner', [item], () => ({}))
  const first = memo.each('outer', items, [], inner)
  for (let round = 0; round < 20; round++) {
    memo.nextRound()
    expect(memo.each('outer', [...items], [], inner)).toBe(first)
  }
  expect(inner(items[0] as object)).toBe(first[0])
  expect(memo.size).toBe(3)
  for (let round = 0; round < 10; round++) memo.nextRound()
  expect(memo.size).toBe(0)
})
