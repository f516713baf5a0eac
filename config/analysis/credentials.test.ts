import { afterAll, expect, test } from '@jest/globals'
import { TestCa } from '../../test/support/certificates.ts'
import { secretYaml } from '../../test/support/secret-yaml.ts'
import { MemorySource } from '../sources/memory.ts'
import { networking } from '../testing.ts'
import { analyze } from './analyze.ts'

const ca = new TestCa('a root')
afterAll(() => ca.remove())
const good = ca.issue('a.example')
const other = ca.issue('b.example')
const texts = ({ cert, key }: typeof good) => ({ 'tls.crt': cert, 'tls.key': key })
const DAY_MS = 86_400_000
const NOW_MS = Date.parse(new Date().toISOString())

const pod = (namespace: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: gw-1, namespace: ${namespace}, labels: {gw: "1"}}\n`
const gateway = (tls: string) =>
  networking(
    'Gateway',
    `selector: {gw: "1"}\nservers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.example], tls: ${tls}}]`,
    'gw',
  )
const rule = (tls: string, more = '') =>
  networking('DestinationRule', `host: a.example\ntrafficPolicy: {tls: ${tls}}${more}`, 'dr')

/** What is said of credentials. */
function said(texts: string[], nowMs = NOW_MS): string[] {
  const source = new MemorySource(Object.fromEntries(texts.map((text, i) => [`${i}.yaml`, text])))
  expect(source.current().findings.filter(({ severity }) => severity === 'error')).toEqual([])
  return analyze(source.current().objects, { nowMs })
    .filter(({ message }) => /Secret|gateways/.test(message))
    .map(({ code, message }) => `${code} ${message}`)
}

const simple = gateway('{mode: SIMPLE, credentialName: a}')
const mutual = gateway('{mode: MUTUAL, credentialName: a}')

test('a Secret that is there, in the namespace of the proxies', () => {
  expect(said([simple, pod('edge'), secretYaml('a', texts(good), 'edge')])).toEqual([])
  expect(said([simple, secretYaml('a', texts(good), 'anywhere')])).toEqual([])
  expect(said([mutual, pod('edge'), secretYaml('a', { ...texts(good), 'ca.crt': ca.cert }, 'edge')])).toEqual([])
  const apart = secretYaml('a-cacert', { cacert: ca.cert }, 'edge')
  expect(said([mutual, pod('edge'), secretYaml('a', texts(good), 'edge'), apart])).toEqual([])
})

test('a Secret that is not there, or not where the proxies are', () => {
  expect(said([simple])).toEqual(['IST0101 spec.servers[0].tls.credentialName: Secret "a" does not exist'])
  expect(said([simple, pod('edge'), secretYaml('a', texts(good))])[0]).toContain('in namespace "edge"')
  // Though two parts of it are needed it is missing once.
  expect(said([mutual]).length).toBe(1)
})

test.each<[string, string[], number, string]>([
  ['no key', [simple, secretYaml('a', { 'tls.crt': good.cert })], NOW_MS, 'has no tls.crt with tls.key'],
  [
    'a key of another',
    [simple, secretYaml('a', { ...texts(good), 'tls.key': other.key })],
    NOW_MS,
    'belongs to another',
  ],
  ['no certificate', [simple, secretYaml('a', { 'tls.crt': 'x', 'tls.key': 'y' })], NOW_MS, 'cannot be read'],
  ['one that has expired', [simple, secretYaml('a', texts(good))], NOW_MS + 20 * DAY_MS, 'its certificate expired'],
  ['one that is not valid yet', [simple, secretYaml('a', texts(good))], NOW_MS - 20 * DAY_MS, 'its certificate begins'],
  ['no roots', [mutual, secretYaml('a', texts(good))], NOW_MS, 'has no ca.crt'],
  [
    'roots that have expired',
    [
      gateway('{mode: MUTUAL, credentialName: a, caCertCredentialName: b}'),
      secretYaml('a', texts(good)),
      secretYaml('b', { 'ca.crt': ca.cert }),
    ],
    NOW_MS + 40 * DAY_MS,
    'a root in it expired',
  ],
])('a Secret with %s', (_what, files, nowMs, reason) => {
  const found = said(files, nowMs)
  expect(found.some((one) => one.startsWith('IST0161') && one.includes(reason))).toBe(true)
  expect(found.join()).not.toContain('BEGIN')
})

test('what a client takes of a Secret', () => {
  const client = rule('{mode: MUTUAL, credentialName: a}', '\nworkloadSelector: {matchLabels: {a: b}}')
  const whole = { ...texts(good), 'ca.crt': ca.cert }
  expect(said([client, secretYaml('a', whole)])).toEqual([])
  expect(said([client, secretYaml('a', whole, 'elsewhere')])[0]).toContain('IST0101')
  expect(said([rule('{mode: SIMPLE, credentialName: a}'), simple, secretYaml('a', whole)])).toEqual([])
  expect(said([rule('{mode: SIMPLE, credentialName: a}'), secretYaml('a', whole)])).toEqual([
    'LTN0110 spec.trafficPolicy.tls.credentialName: is for gateways, of which there are none; for sidecars the rule needs a workloadSelector',
  ])
})

test('two TLS servers of one Gateway for the same host', () => {
  const server = '{port: {number: 443, name: NAME, protocol: HTTPS}, hosts: [a.example], tls: {mode: PASSTHROUGH}}'
  const servers = [server.replace('NAME', 'a'), server.replace('NAME', 'b')].join(', ')
  const source = new MemorySource({ 'a.yaml': networking('Gateway', `selector: {gw: "1"}\nservers: [${servers}]`) })
  const found = analyze(source.current().objects).filter(({ code }) => code === 'IST0145')
  expect(found.map(({ message }) => message)).toEqual([
    'spec.servers[0]: another server of it opens port 443 for the same hosts and workloads',
    'spec.servers[1]: another server of it opens port 443 for the same hosts and workloads',
  ])
})
