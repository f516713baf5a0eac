import { expect, test } from '@jest/globals'
import { PlanError } from './plan-error.ts'
import { fieldName, wireText } from './wire-text.ts'

test('text is written as the bytes of its UTF-8', () => {
  expect(wireText('plain', 'p')).toBe('plain')
  expect(Buffer.from(wireText('caf\u00e9 \u010d \u{1f600}', 'p'), 'latin1').toString('utf8')).toBe(
    'caf\u00e9 \u010d \u{1f600}',
  )
  // U+010D and U+010A would be cut to CR and LF.
  expect(wireText('\u010d\u010a', 'p')).not.toMatch(/[\r\n]/)
})

test.each(['a\r\nb: c', 'a\nb', 'a\0b', '\x7f'])('%j is refused', (text) => {
  expect(() => wireText(text, 'p')).toThrow(PlanError)
})

test('names of fields are tokens', () => {
  expect(fieldName('X-Test_1', 'p')).toBe('X-Test_1')
  for (const name of ['', 'a b', 'a:b', 'a\r\n', '\u010d']) expect(() => fieldName(name, 'p')).toThrow(PlanError)
})
