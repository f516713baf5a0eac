import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeAll, expect, test } from '@jest/globals'
import { builtCli } from '../../e2e/built.ts'
import { NetworkNamespace } from '../../support/network-namespace.ts'
import { canFilterPackets } from '../../support/packet-filter.ts'
import { type Endpoint, Lab, type LoadReport } from './lab.ts'

/**
 * Parts fail while requests come at a steady rate, half of them POST. What the policy allows to save is saved; what it
 * does not is counted, and explained by what the endpoints have done.
 */

/** Whatever came to nothing may be tried again. */
const RETRY_ALL = '{ attempts: 3, perTryTimeout: 400ms, retryOn: "5xx,reset,connect-failure" }'
const BEFORE_MS = 1_000
const AFTER_MS = 4_000

let lab: Lab

beforeAll(() => {
  builtCli()
}, 60_000)

afterEach(() => lab.stop())

/** Something happens in the middle of the load. */
async function underLoad(happens: () => Promise<unknown>, afterMs = AFTER_MS): Promise<LoadReport> {
  await lab.startLoad()
  await pause(BEFORE_MS)
  await happens()
  await pause(afterMs)
  const report = await lab.stopLoad()
  process.stdout.write(`${expect.getState().currentTestName}: ${JSON.stringify(report)}\n`)
  expect(report.sent).toBeGreaterThan(1_000)
  return report
}

const endpoint = () => lab.endpoints[0] as Endpoint

test('an endpoint is killed', async () => {
  lab = await Lab.start(3, { retries: RETRY_ALL })
  const { failures } = await underLoad(() => endpoint().kill())
  expect(failures).toEqual({})
}, 60_000)

test('an endpoint is killed, and nothing is said of retries', async () => {
  lab = await Lab.start(3)
  const { failures } = await underLoad(async () => {
    await endpoint().behave({ delayMs: 100 })
    await pause(500)
    await endpoint().kill()
  })
  // What was under way there may have been done: a POST is not sent again unasked.
  for (const [kind, count] of Object.entries(failures)) {
    expect(kind).toMatch(/^POST 503: upstream connect error or disconnect/)
    expect(count).toBeLessThan(40)
  }
}, 60_000)

test('an endpoint becomes slow', async () => {
  lab = await Lab.start(3, { retries: RETRY_ALL })
  const { failures } = await underLoad(() => endpoint().behave({ delayMs: 5_000 }))
  expect(failures).toEqual({})
}, 60_000)

test('an endpoint answers 500 to half of the requests', async () => {
  lab = await Lab.start(3, { retries: RETRY_ALL })
  const { failures } = await underLoad(() => endpoint().behave({ status: 500, share: 0.5 }))
  expect((await endpoint().report()).failed).toBeGreaterThan(10)
  expect(failures).toEqual({})
}, 60_000)

test('an endpoint breaks connections in the middle of answers', async () => {
  lab = await Lab.start(3, { retries: RETRY_ALL })
  const { failures } = await underLoad(() => endpoint().behave({ breakShare: 0.1 }))
  // An answer that has begun cannot be taken back: its client sees it end early, as it would without a proxy.
  const { broken } = await endpoint().report()
  expect(broken).toBeGreaterThan(10)
  const kinds = Object.keys(failures)
  expect(kinds.filter((kind) => !/ (broken|not answered): ECONNRESET$/.test(kind))).toEqual([])
  expect(Object.values(failures).reduce((sum, count) => sum + count, 0)).toBe(broken)
}, 60_000)

test('the pilot is killed and comes back', async () => {
  lab = await Lab.start(3)
  const { failures } = await underLoad(async () => {
    await lab.killPilot()
    await pause(1_000)
    lab.startPilot()
  })
  expect(failures).toEqual({})
}, 60_000)

/** Needs a network of its own, where packets can be dropped. */
const inNamespace = canFilterPackets() ? test : test.skip

inNamespace(
  'the packets to an endpoint vanish',
  async () => {
    const net = await NetworkNamespace.create(['ip link set lo up'])
    try {
      lab = await Lab.start(3, { retries: RETRY_ALL, enter: net.enter })
      const drop = ['-A', 'OUTPUT', '-p', 'tcp', '-d', endpoint().ip, '-j', 'DROP']
      const { failures, slowestMs } = await underLoad(() => net.run('iptables', drop))
      expect(failures).toEqual({})
      // Connections that were open time out by the try, new ones by the connect time-out.
      expect(slowestMs).toBeGreaterThan(200)
    } finally {
      await lab.stop()
      await net.close()
    }
  },
  60_000,
)
