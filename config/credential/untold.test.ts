import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { MemorySource } from '../sources/memory.ts'

/** Nothing that a Secret holds is in any finding, however broken it is. */

const TOLD = 'TOP-SECRET'
const findings = (text: string) => new MemorySource({ 'secret.yaml': text }).current().findings
const secret = (rest: string, metadata = '{name: a}') =>
  `apiVersion: v1\nkind: Secret\nmetadata: ${metadata}\n${rest}\n`

test.each<[string, string, string]>([
  ['what is no base64', secret(`data: {tls.key: "${TOLD}"}`), 'data["tls.key"]: is not base64'],
  [
    'a map in the place of a text',
    secret(`data: {tls.key: {${TOLD}: x}}`),
    'data["tls.key"]: must be a string, found a map',
  ],
  [
    'a number in the place of a text',
    secret('stringData: {password: 31337}'),
    'stringData.password: must be a string, found a number',
  ],
  ['a text in the place of a map', secret(`data: ${TOLD}`), 'data: must be a map, found a string'],
  ['a type that is none', secret('type: 31337'), 'type: must be a string'],
  ['broken YAML', secret(`data: {tls.key: "${TOLD}"}}\n  x ${TOLD}`), 'cannot be read as YAML'],
  ['a key with a text behind it', secret(`data:\n  tls.key: "x" ${TOLD}`), 'cannot be read as YAML'],
  [
    'an annotation that holds it all',
    secret('data: {}', `{name: a, annotations: {last: {x: ${TOLD}}}}`),
    'must be a string',
  ],
  [
    'an annotation that is not allowed',
    secret('data: {}', `{name: a, annotations: {"a b": "${TOLD}"}}`),
    'not allowed',
  ],
])('%s', (_what, text, message) => {
  const found = findings(text)
  expect(found.map((one) => one.message).join('\n')).toContain(message)
  const said = JSON.stringify(found)
  expect(said).not.toContain(TOLD)
  expect(said).not.toContain('31337')
})

test('a Secret as users write them is taken in silence', () => {
  expect(
    findings(secret('type: kubernetes.io/tls\ndata: {tls.crt: YQ==, tls.key: "YWI=\\n"}\nstringData: {a: b}')),
  ).toEqual([])
  expect(findings(secret('data:')).length).toBe(0)
})

test('a staple is said to have no effect', () => {
  expect(findings(secret('data: {tls.ocsp-staple: YQ==}')).map(({ code }) => code)).toEqual(['LTN0101'])
})

test('wherever a Secret is cut or changed', () => {
  const whole = secret(
    `type: Opaque\ndata:\n  tls.key: ${Buffer.from(TOLD).toString('base64')}\nstringData:\n  a: "${TOLD}"`,
  )
  const secrets = [TOLD, Buffer.from(TOLD).toString('base64')]
  fc.assert(
    fc.property(
      fc.nat(whole.length),
      fc.nat(20),
      fc.constantFrom('', '}', '"', '- ', '\n ', ': ', '\t', '&a ', '*a', '!!int '),
      (at, length, piece) => {
        const changed = whole.slice(0, at) + piece + whole.slice(at + length)
        // Cut through, or no Secret any more, it is not known for one.
        if (!/kind: Secret/.test(changed)) return
        const said = JSON.stringify(findings(changed))
        for (const one of secrets) expect(said).not.toContain(one)
      },
    ),
    { numRuns: 1000 },
  )
})
