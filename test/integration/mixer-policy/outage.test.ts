import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { PLANES, type Plane } from '../../differential/mesh-pair.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { MixerChild } from '../../support/mixer-child.ts'
import { DENY_RULE } from '../../support/mixer-config.ts'
import { PolicedWorkload } from './policed-workload.ts'

/** The mixer is killed and comes back under load: every request is answered as the fail mode says. */

const envoy = peerOrSkip('envoy')
const planes: readonly Plane[] = envoy === undefined ? ['lateen'] : PLANES

/** Asked about every call, since each has another key. */
const POLICY = DENY_RULE.replace(/match: .*/, 'match: request.headers["x-key"] == "denied"')
const WORKERS = 4
const OUTAGE_MS = 1_500

interface Answered {
  readonly sentMs: number
  readonly answeredMs: number
  readonly status: number
}

describe.each([
  ['open', true],
  ['closed', false],
] as const)('fail %s', (mode, policyCheckFailOpen) => {
  const mixer = new MixerChild(POLICY)
  let ratings: PolicedWorkload
  let keys = 0

  beforeAll(async () => {
    await mixer.start()
    ratings = new PolicedWorkload('ratings', mixer.port, POLICY, { policyCheckFailOpen })
    await ratings.start(envoy)
    for (const plane of planes) await eventually(async () => expect(await denied(plane)).toBe(403))
  }, 90_000)

  afterAll(async () => {
    await ratings?.stop()
    await mixer.stop()
  }, 20_000)

  async function denied(plane: Plane): Promise<number> {
    return (await ratings.send(plane, ['x-key: denied'])).status
  }

  async function load(plane: Plane, isOver: () => boolean): Promise<Answered[]> {
    const all: Answered[] = []
    const worker = async () => {
      while (!isOver()) {
        const sentMs = performance.now()
        const { status } = await ratings.send(plane, [`x-key: ${keys++}`])
        all.push({ sentMs, answeredMs: performance.now(), status })
      }
    }
    await Promise.all(Array.from({ length: WORKERS }, worker))
    return all
  }

  test.each(planes)(
    'through %s',
    async (plane) => {
      let isOver = false
      const ofProxy = () => [shown('error'), shown('failure_mode_allowed'), shown('ok')]
      const shown = (name: string) => ratings.metric(`http.ext_authz.${name}`)
      const [errors = 0, allowed = 0, ok = 0] = ofProxy()
      const running = load(plane, () => isOver)
      await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS / 3))
      const killMs = performance.now()
      await mixer.kill()
      const deadMs = performance.now()
      await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS))
      const backMs = performance.now()
      await mixer.start()
      // What nobody allows is denied again: the mixer is heard.
      await eventually(async () => expect(await denied(plane)).toBe(403), 20_000)
      const healedMs = performance.now()
      await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS / 3))
      isOver = true
      const all = await running
      const statuses = (of: readonly Answered[]) => [...new Set(of.map(({ status }) => status))].sort()
      const before = all.filter(({ answeredMs }) => answeredMs < killMs)
      const during = all.filter(({ sentMs, answeredMs }) => sentMs > deadMs && answeredMs < backMs)
      const after = all.filter(({ sentMs }) => sentMs > healedMs)
      for (const part of [before, during, after]) expect(part.length).toBeGreaterThan(0)
      expect(statuses(before)).toEqual([200])
      expect(statuses(during)).toEqual([mode === 'open' ? 200 : 503])
      expect(statuses(after)).toEqual([200])
      expect(all.filter(({ status }) => status !== 200 && status !== 503)).toEqual([])
      if (plane === 'envoy') return
      const [errorsAfter = 0, allowedAfter = 0, okAfter = 0] = ofProxy()
      expect(errorsAfter - errors).toBeGreaterThanOrEqual(during.length)
      const refused = all.filter(({ status }) => status === 503).length
      if (mode === 'open') expect([allowedAfter - allowed, refused]).toEqual([errorsAfter - errors, 0])
      // Those of the test that it is heard again are errors too, until then.
      else expect([allowedAfter, okAfter - ok]).toEqual([0, all.length - refused])
    },
    60_000,
  )
})
