import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { splitDocuments } from './split.ts'

test('splits at markers and counts lines', () => {
  expect(splitDocuments('a: 1\n---\nb: 2\n---\n\n---\n# only a comment\nc: 3\n')).toEqual([
    { text: 'a: 1\n', firstLine: 1 },
    { text: '---\nb: 2\n', firstLine: 2 },
    { text: '---\n\n', firstLine: 4 },
    { text: '---\n# only a comment\nc: 3\n', firstLine: 6 },
  ])
})

test('takes content beside the marker, Windows line ends, a byte order mark, directives and end markers', () => {
  expect(splitDocuments('\ufeff%YAML 1.2\r\n--- {a: 1}\r\n...\r\n# c\r\nb: 2\r\n')).toEqual([
    { text: '--- {a: 1}\r\n', firstLine: 2 },
    { text: '# c\r\nb: 2\r\n', firstLine: 4 },
  ])
})

test('sees no marker in the middle of a line, in an indented line or in a longer word', () => {
  const text = 'a: |\n  ---\n  x\nb: ---\n---more: 1\n----\n'
  expect(splitDocuments(text)).toEqual([{ text, firstLine: 1 }])
})

test('loses no line but markers of the end and directives', () => {
  const line = fc.constantFrom('a: 1', '---', '--- x', '', '# c', '  b', 'x ---')
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const documents = splitDocuments(lines.join('\n'))
      for (const { text, firstLine } of documents) {
        const expected = lines.slice(firstLine - 1, firstLine - 1 + text.replace(/\n$/, '').split('\n').length)
        expect(text.replace(/\n$/, '')).toBe(expected.join('\n'))
      }
    }),
  )
})
