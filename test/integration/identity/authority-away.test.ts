import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { BusyMesh } from './busy-mesh.ts'

/** Renewed at about half of it: what is left must do for three attempts that fail, and for one that does not. */
const LIFE_SECONDS = 24
const ATTEMPTS = 3

let busy: BusyMesh

beforeAll(async () => {
  busy = await BusyMesh.start(peerOrSkip('envoy'), LIFE_SECONDS)
}, 90_000)

afterAll(() => busy.stop(), 20_000)

test('an authority that is away for three attempts, and comes back, is missed by nobody', async () => {
  const { errors, sent, handshakes, failures } = await busy.underLoad(async () => {
    await busy.mesh.stopPilot()
    // Of whoever is the first to need one.
    await eventually(() => expect(Math.max(...busy.failedRenewals())).toBeGreaterThanOrEqual(ATTEMPTS), 30_000)
    await busy.mesh.restartPilot()
    await busy.everyoneRenews()
  })
  expect({ errors, failures }).toEqual({ errors: [], failures: [0, 0, 0] })
  expect(sent).toBeGreaterThan(1000)
  expect(handshakes).toBeGreaterThan(100)
}, 120_000)
