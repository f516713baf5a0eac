import { expect, test } from '@jest/globals'
import { Changes } from './changes.ts'

test('at first anything may have changed, then what is announced', () => {
  const changes = new Changes()
  expect(changes.isEmpty).toBe(false)
  expect(changes.take()).toBeUndefined()
  expect(changes.isEmpty).toBe(true)
  expect(changes.take()).toEqual(new Set())
  changes.add('a')
  changes.addAll(['b', 'a'])
  expect(changes.isEmpty).toBe(false)
  expect(changes.take()).toEqual(new Set(['a', 'b']))
  expect(changes.take()).toEqual(new Set())
})

test('whoever does not know what changed says so for all', () => {
  const changes = new Changes()
  changes.take()
  changes.add('a')
  changes.addAnything()
  expect(changes.take()).toBeUndefined()
  expect(changes.take()).toEqual(new Set())
})

test('so many events may not have been all', () => {
  const changes = new Changes()
  changes.take()
  changes.add('a')
  for (let i = 0; i < 1001; i++) changes.countEvent()
  expect(changes.take()).toBeUndefined()
  changes.add('a')
  for (let i = 0; i < 1000; i++) changes.countEvent()
  expect(changes.take()).toEqual(new Set(['a']))
})
