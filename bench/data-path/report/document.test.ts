import { expect, test } from '@jest/globals'
import { MARKER, mergeDocument } from './document.ts'

const order = ['a', 'b', 'c']

test('measured sections replace those of their name, the others and what is written by hand stay', () => {
  const first = mergeDocument(
    '',
    '# Head',
    new Map([
      ['c', '## c\n\nold c\n'],
      ['a', '## a\n\nold a\n'],
    ]),
    order,
  )
  expect(first).toBe(`# Head\n\n## a\n\nold a\n\n## c\n\nold c\n\n${MARKER}\n`)
  const byHand = `${first}\n## b\n\nThoughts.\n`
  const second = mergeDocument(
    byHand,
    '# New head',
    new Map([
      ['a', '## a\n\nnew a\n'],
      ['b', '## b\n\nnew b\n'],
    ]),
    order,
  )
  expect(second).toBe(
    `# New head\n\n## a\n\nnew a\n\n## b\n\nnew b\n\n## c\n\nold c\n\n${MARKER}\n\n## b\n\nThoughts.\n`,
  )
})

test('writing the same again changes nothing, and a case that is no more goes', () => {
  const sections = new Map(order.map((name) => [name, `## ${name}\n\n| x |\n`]))
  const once = mergeDocument('', '# Head', sections, order)
  expect(mergeDocument(once, '# Head', sections, order)).toBe(once)
  expect(mergeDocument(once, '# Head', new Map(), ['a', 'c'])).not.toContain('## b')
})
