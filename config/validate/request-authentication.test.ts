import { expect, test } from '@jest/globals'
import { problemsOf } from '../testing.ts'

/** Problems of a policy with this one rule, which is on line 5. */
const ofRule = (rule: string) => ofSpec(`jwtRules: [${rule}]`)
const ofSpec = (spec: string) =>
  problemsOf(`apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: a}\nspec:\n  ${spec}\n`)
const RULE = 'spec.jwtRules[0]'
const URI = 'jwksUri: "https://a.test/keys"'

test('a whole rule', () => {
  const rule = `{issuer: a, audiences: [b], ${URI}, fromHeaders: [{name: x, prefix: "y "}], fromParams: [p],
    fromCookies: [c], outputPayloadToHeader: x-p, forwardOriginalToken: true, timeout: 2s, spaceDelimitedClaims: [s],
    outputClaimToHeaders: [{header: x-a, claim: a.b}]}`
  expect(ofRule(rule)).toEqual([])
  expect(ofRule('{issuer: "https://a.test"}')).toEqual([])
  expect(ofRule(`{${URI}}`)).toEqual([])
})

test.each([
  ['{}', 'IST0106', `${RULE}.issuer: must be given where there is no jwksUri`],
  [
    '{issuer: a}',
    'IST0106',
    `${RULE}.issuer: "a" is no URL of http or https to be asked for its keys; give jwksUri or jwks`,
  ],
  [
    '{issuer: a, jwksUri: "file:///etc/passwd"}',
    'IST0106',
    `${RULE}.jwksUri: "file:///etc/passwd" is no URL of http or https`,
  ],
  ['{issuer: a, jwks: "{"}', 'IST0106', `${RULE}.jwks: is no JSON`],
  ['{issuer: a, jwks: "[]"}', 'IST0106', `${RULE}.jwks: is no JSON Web Key Set: it has no list of keys`],
  [`{issuer: a, jwks: '{"keys":[]}'}`, 'IST0106', `${RULE}.jwks: has no keys`],
  [`{issuer: a, jwks: '{"keys":[{}]}', ${URI}}`, 'IST0133', `${RULE}.jwksUri: is not asked: jwks is given`],
  [
    `{issuer: a, ${URI}, fromHeaders: [{name: "a b"}]}`,
    'IST0106',
    `${RULE}.fromHeaders[0].name: "a b" is no header name`,
  ],
  [`{issuer: a, ${URI}, fromParams: [""]}`, 'IST0106', `${RULE}.fromParams[0]: must not be empty`],
  [
    `{issuer: a, ${URI}, outputClaimToHeaders: [{header: x, claim: a}, {header: X, claim: b}]}`,
    'IST0106',
    `${RULE}.outputClaimToHeaders[1].header: "x" is given twice`,
  ],
])('%s', (rule, code, message) => {
  expect(ofRule(rule)).toEqual([[code, 5, message]])
})

test('what is meant for the Gateway API applies nowhere, and says so', () => {
  expect(ofSpec('targetRefs: [{kind: Gateway, name: a}]')).toEqual([
    ['LTN0101', 5, expect.stringContaining('spec.targetRefs: has no effect')],
  ])
})
