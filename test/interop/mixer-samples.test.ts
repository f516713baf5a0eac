import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { RateLimitResponse_Code as Code } from '../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import { env } from '../../lib/env.ts'
import { MixerClient } from '../support/mixer-client.ts'
import { DENY_RULE, rateLimitRule } from '../support/mixer-config.ts'
import { MixerProcess } from '../support/mixer-process.ts'

/** Istio's samples for Mixer as they are, where they are at hand (LATEEN_ISTIO_SAMPLES); else ours, which say the same. */

function samples(): Record<string, string> {
  const dir = join(env('LATEEN_ISTIO_SAMPLES') || '/nowhere', 'mixer')
  if (!existsSync(dir)) return { 'deny.yaml': DENY_RULE, 'limit.yaml': rateLimitRule() }
  return Object.fromEntries(readdirSync(dir).map((file) => [file, readFileSync(join(dir, file), 'utf8')]))
}

test('they are taken without a finding, and do what they say', async () => {
  const mixer = new MixerProcess(samples())
  const client = new MixerClient(await mixer.listen())
  try {
    expect(mixer.mixer.findings()).toEqual([])
    const from = (version: string) => ({
      'destination.namespace': 'default',
      'destination.labels[app]': 'ratings',
      'source.labels[app]': 'reviews',
      'source.labels[version]': version,
    })
    expect((await client.check(from('v3'))).status?.code).toBe(7)
    expect((await client.check(from('v2'))).status?.code).toBe(0)
    const limited = {
      'destination.service.host': 'productpage.default.svc.cluster.local',
      'destination.labels[app]': 'productpage',
    }
    const codes: Code[] = []
    for (let i = 0; i < 3; i++) codes.push((await client.limit(limited)).overallCode)
    expect(codes).toEqual([Code.OK, Code.OK, Code.OVER_LIMIT])
  } finally {
    client.close()
    await mixer.close()
  }
})
