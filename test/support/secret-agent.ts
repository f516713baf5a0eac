import { systemClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { systemRandom } from '../../lib/random.ts'
import { type IdentityOptions, IdentitySecrets } from '../../proxy/agent/identity/identity-secrets.ts'
import { SecretServer } from '../../proxy/agent/identity/secret-server.ts'

export interface SecretAgent {
  readonly metrics: MetricStore
  close(): void
}

/** What a real Envoy has its own certificate of: an agent that serves it by SDS on this Unix socket, as `lateen agent` does. */
export async function startSecretAgent(socket: string, identity: IdentityOptions): Promise<SecretAgent> {
  const server = new SecretServer(silentLogger)
  await server.listen(`unix:${socket}`)
  const metrics = new MetricStore()
  const secrets = new IdentitySecrets(identity, {
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    metrics,
  })
  secrets.start(server)
  const close = () => {
    secrets.close()
    server.close()
  }
  return { metrics, close }
}
