import { expect, test } from '@jest/globals'
import { fnv1a64 } from './fnv.ts'

/** From the authors' tables (draft-eastlake-fnv, appendix C). */
test.each([
  ['', 0xcbf29ce484222325n],
  ['a', 0xaf63dc4c8601ec8cn],
  ['foobar', 0x85944171f73967e8n],
])('the hash of %j', (text, hash) => {
  expect(BigInt.asUintN(64, fnv1a64(text))).toBe(hash)
})
