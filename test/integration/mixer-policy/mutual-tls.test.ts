import { createConnection } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { PLANES } from '../../differential/mesh-pair.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { loopbackBlock } from '../../support/mesh.ts'
import { MeshAuthority } from '../../support/mesh-authority.ts'
import { DENY_RULE } from '../../support/mixer-config.ts'
import { MixerProcess } from '../../support/mixer-process.ts'
import { MIXER_HOST, PolicedWorkload } from './policed-workload.ts'

/** A mixer behind a proxy that takes nothing but the mesh's mutual TLS: it is asked as any other service is called. */

const envoy = peerOrSkip('envoy')
const planes = envoy === undefined ? (['lateen'] as const) : PLANES

const MIXER_PORT = 9191
const POLICY = DENY_RULE.replace(/match: .*/, 'match: request.headers["x-key"] == "denied"')
const ip = `${loopbackBlock()}.9`
const mixer = new MixerProcess({ 'policy.yaml': POLICY })
const authority = new MeshAuthority(['default/default', 'istio-system/default'])
let ratings: PolicedWorkload

/** The mixer's own proxy, and that nobody calls it without a certificate. */
function strict(applicationPort: number): string {
  const objects = [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata: { name: 'mixer', namespace: 'istio-system' },
      spec: {
        workloadSelector: { labels: { app: 'policy' } },
        ingress: [
          {
            port: { number: MIXER_PORT, name: 'grpc-mixer', protocol: 'GRPC' },
            defaultEndpoint: `127.0.0.1:${applicationPort}`,
            captureMode: 'NONE',
          },
        ],
        egress: [{ hosts: ['~/*'] }],
      },
    },
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'strict', namespace: 'istio-system' },
      // Of this workload alone: in the root namespace it would be the whole mesh's.
      spec: { selector: { matchLabels: { app: 'policy' } }, mtls: { mode: 'STRICT' } },
    },
  ]
  return objects.map((object) => `---\n${JSON.stringify(object)}\n`).join('')
}

beforeAll(async () => {
  const endpoint = {
    address: ip,
    port: MIXER_PORT,
    labels: { 'security.istio.io/tlsMode': 'istio' },
  }
  const policy = POLICY + strict(await mixer.listen())
  ratings = new PolicedWorkload('ratings', endpoint, policy, {}, authority)
  await ratings.start(envoy)
  await ratings.addProxy({ type: 'sidecar', name: 'mixer', namespace: 'istio-system', ip, labels: { app: 'policy' } })
  for (const plane of planes) await eventually(async () => expect((await ratings.send(plane)).status).toBe(200), 30_000)
}, 120_000)

afterAll(async () => {
  await ratings?.stop()
  await mixer.close()
}, 20_000)

test.each(planes)('through %s', async (plane) => {
  const asked = mixer.mixer.stats.checks.value
  expect((await ratings.send(plane, ['x-key: denied'])).status).toBe(403)
  expect((await ratings.send(plane, [`x-key: ${plane}`])).status).toBe(200)
  expect(mixer.mixer.stats.checks.value).toBe(asked + 2)
})

test('nobody asks it in plain text', async () => {
  const closed = new Promise<string>((resolve, reject) => {
    let heard = ''
    const socket = createConnection(MIXER_PORT, ip, () => socket.write(`GET / HTTP/1.1\r\nhost: ${MIXER_HOST}\r\n\r\n`))
    socket.on('data', (data) => {
      heard += data.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(heard))
  })
  expect(await closed.catch(() => '')).not.toContain('HTTP/1.1')
})
