import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { back, rotate } from '../../../cli/certs/rotate.ts'
import { MemorySource } from '../../../config/sources/memory.ts'
import { silentLogger } from '../../../lib/log.ts'
import { readMaterial } from '../../../pilot/ca/material.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { IdentityMesh } from '../../support/identity-mesh.ts'
import { BusyMesh } from './busy-mesh.ts'

/** Certificates that are renewed every few seconds, and an authority that is changed root and all. */

const envoy = peerOrSkip('envoy')

/** Renewed at about half of it. */
const LIFE_SECONDS = 10

let busy: BusyMesh

beforeAll(async () => {
  busy = await BusyMesh.start(envoy, LIFE_SECONDS)
}, 90_000)

afterAll(() => busy.stop(), 20_000)

const stepsOf = (mesh: IdentityMesh, waitS: number) => ({
  caDir: mesh.file('ca'),
  pilot: [`127.0.0.1:${mesh.pilot.http.port}`],
  waitS,
  trustDomain: 'cluster.local',
})

test('the authority is changed, root and all, while certificates are renewed every five seconds, and nothing fails', async () => {
  const issuer = () => readMaterial(busy.mesh.file('ca'), silentLogger).certificate.fingerprint256
  const old = issuer()
  const said: string[] = []
  const { errors, sent, handshakes, failures } = await busy.underLoad(async () => {
    await busy.everyoneRenews()
    await rotate(stepsOf(busy.mesh, 30), (line) => said.push(line))
    await busy.everyoneRenews()
  })
  expect({ errors, failures }).toEqual({ errors: [], failures: [0, 0, 0] })
  expect(sent).toBeGreaterThan(1000)
  expect(handshakes).toBeGreaterThan(100)
  expect(issuer()).not.toBe(old)
  expect(said).toEqual([
    'proven: the pilots have taken over what is in the folder',
    '1 of 3: the new root is being spread; the old authority signs',
    'proven: every connected proxy has accepted the new root',
    '2 of 3: the new authority signs; the old root is still trusted',
    'proven: nobody has a certificate of the old authority',
    'proven: the pilots have taken over what is in the folder',
    '3 of 3: the old root is no longer trusted, and the old key is gone',
  ])
  const { roots, chain } = await busy.mesh.certificateOf('kept')
  expect(new X509Certificate(roots).fingerprint256).toBe(issuer())
  expect(new X509Certificate(chain).verify(new X509Certificate(roots).publicKey)).toBe(true)
}, 120_000)

test('a rotation goes no step further without its proof, and can go back', async () => {
  const source = new MemorySource({})
  const mesh = new IdentityMesh(source, 3600)
  await mesh.start()
  try {
    // Somebody who has no proxy has a certificate for an hour, and nobody can say that it is not in use.
    await mesh.certificateOf('stranger')
    await expect(rotate(stepsOf(mesh, 3), () => {})).rejects.toThrow(
      /not proven in time: nobody has a certificate of the old authority.*\n.*sa\/stranger has a certificate of another/,
    )
    const said: string[] = []
    await back(stepsOf(mesh, 3), (line) => said.push(line))
    await back(stepsOf(mesh, 5), (line) => said.push(line))
    expect(said).toEqual([
      'the old authority signs again; both roots are trusted',
      'proven: nobody has a certificate of the new authority',
      'the new root is gone',
    ])
  } finally {
    await mesh.stop()
    source.close()
  }
}, 60_000)
