import { expect, test } from '@jest/globals'
import { lowerCase } from './lower-case.ts'

test('capitals become small, whichever and wherever they are', () => {
  for (const text of ['', 'a', 'x-request-id', 'A', 'Z', 'x-Z', 'Host', 'aZb', '@[`{09'])
    expect(lowerCase(text)).toBe(text.toLowerCase())
})
