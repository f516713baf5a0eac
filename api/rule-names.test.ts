import { expect, test } from '@jest/globals'
import { formatRuleName, parseRuleName } from './rule-names.ts'

test('the name of a rule is read as it was written, whatever stands before it', () => {
  const rule = { namespace: 'a', policy: 'b.c', rule: 12 }
  expect(formatRuleName(rule)).toBe('ns[a]-policy[b.c]-rule[12]')
  expect(parseRuleName(formatRuleName(rule))).toEqual(rule)
  expect(parseRuleName(formatRuleName(rule, 'istio-ext-authz-p-'))).toEqual(rule)
  for (const other of ['', 'a', 'ns[a]-policy[b]', 'ns[a]-policy[b]-rule[x]'])
    expect(parseRuleName(other)).toBeUndefined()
})
