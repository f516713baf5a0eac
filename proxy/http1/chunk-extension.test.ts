import { expect, test } from '@jest/globals'
import { EXTENSION, type Extension, nextExtension } from './chunk-extension.ts'

/** Whether these are extensions up to their CR, of which the first semicolon has been read. */
function isValid(text: string): boolean {
  let at: Extension | undefined = EXTENSION.start
  for (const byte of Buffer.from(`${text}\r`, 'latin1')) {
    if (at === undefined || at === EXTENSION.end) return false
    at = nextExtension(at, byte)
  }
  return at === EXTENSION.end
}

test.each(['a', 'a=b', 'a;b', 'a=b;c=d', 'a=""', 'a="b c;d=e\t"', 'a="\\"\\\\"', 'a="\xe9";b'])('takes %j', (text) => {
  expect(isValid(text)).toBe(true)
})

test.each([
  '',
  ';',
  'a;',
  'a=',
  'a=;b',
  '=b',
  ' a',
  'a ',
  'a =b',
  'a= b',
  '"a"',
  'a="b',
  'a="b\\"',
  'a="b"c',
  'a="b" ',
  'a\0',
  'a="\0"',
  'a\n',
  '\xe9',
  'a=\xe9',
  'a=b=c',
])('refuses %j', (text) => {
  expect(isValid(text)).toBe(false)
})
