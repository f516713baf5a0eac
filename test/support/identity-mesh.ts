import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ConfigSource } from '../../config/store.ts'
import { systemClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { systemRandom } from '../../lib/random.ts'
import { Pilot } from '../../pilot/pilot.ts'
import { Agent } from '../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import { CaClient } from '../../proxy/agent/identity/ca-client.ts'
import { type WorkloadCertificate, WorkloadIdentity } from '../../proxy/agent/identity/workload-identity.ts'
import { EnvoyProcess } from './envoy-process.ts'
import { bootstrapText, type Workload } from './mesh.ts'
import { startSecretAgent } from './secret-agent.ts'

/** A workload with a token of its own. */
export interface Member extends Workload {
  readonly account: string
}

/** A pilot with an authority, and proxies, ours and real Envoys, that all have certificates of it. The caller closes the source. */
export class IdentityMesh {
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-mesh-'))
  readonly #source: ConfigSource
  readonly #lifeSeconds: number
  readonly #closing: (() => unknown)[] = []
  /** Of the agents of real Envoys. */
  readonly agentMetrics: MetricStore[] = []
  pilot: Pilot

  /** `lifeSeconds` is that of the certificates. */
  constructor(source: ConfigSource, lifeSeconds = 3600) {
    this.#source = source
    this.#lifeSeconds = lifeSeconds
    mkdirSync(this.file('tokens'))
    this.pilot = this.#newPilot(0, 0)
  }

  file(name: string): string {
    return join(this.#dir, name)
  }

  start(): Promise<void> {
    return this.pilot.start()
  }

  /** Ends the pilot, and the authority with it, as a crash would. */
  stopPilot(): Promise<void> {
    return this.pilot.close()
  }

  async restartPilot(): Promise<void> {
    this.pilot = this.#newPilot(this.pilot.xdsPort, this.pilot.caPort)
    await this.pilot.start()
  }

  async addProxy(member: Member): Promise<Agent> {
    const identity = this.identityOf(member.account, member.namespace)
    const agent = new Agent(parseBootstrap(bootstrapText(member, this.pilot.xdsPort), member.name), member.name, {
      log: silentLogger,
      identity,
    })
    this.#closing.push(() => agent.stop(0))
    await agent.start()
    return agent
  }

  /** A real Envoy, and the agent that it asks for its certificate. */
  async addEnvoy(path: string, member: Member): Promise<EnvoyProcess> {
    const socket = this.file(`${member.name}.sock`)
    const agent = await startSecretAgent(socket, this.identityOf(member.account, member.namespace))
    this.agentMetrics.push(agent.metrics)
    const file = this.file(`${member.name}.json`)
    writeFileSync(file, bootstrapText(member, this.pilot.xdsPort, undefined, { pipe: { path: socket } }))
    const envoy = new EnvoyProcess(path, file)
    this.#closing.push(async () => {
      await envoy.stop()
      agent.close()
    })
    return envoy
  }

  /** A certificate for somebody who has no proxy. */
  async certificateOf(account: string, namespace = 'default'): Promise<WorkloadCertificate> {
    const { caAddress: address, caRootFile: rootFile, tokenFile, lifeSeconds } = this.identityOf(account, namespace)
    const around = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: new MetricStore() }
    const source = new CaClient({ address, rootFile, tokenFile, lifeSeconds, clock: systemClock })
    return new Promise((resolve) => {
      const identity = new WorkloadIdentity({
        source,
        ...around,
        onCertificate: (certificate) => {
          identity.close()
          resolve(certificate)
        },
      })
      identity.start()
    })
  }

  /** What it takes to ask for certificates; the token is made when it is first asked for. */
  identityOf(account: string, namespace = 'default') {
    const tokenFile = this.file(`tokens/${namespace}/${account}`)
    mkdirSync(dirname(tokenFile), { recursive: true })
    try {
      writeFileSync(tokenFile, randomBytes(32).toString('base64'), { flag: 'wx' })
    } catch {
      // It has one.
    }
    return {
      caAddress: `127.0.0.1:${this.pilot.caPort}`,
      caRootFile: this.file('ca/root-cert.pem'),
      tokenFile,
      lifeSeconds: this.#lifeSeconds,
    }
  }

  async stop(): Promise<void> {
    for (const close of this.#closing.reverse()) await close()
    await this.pilot.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #newPilot(xdsPort: number, caPort: number): Pilot {
    return new Pilot({
      source: this.#source,
      xdsAddress: `127.0.0.1:${xdsPort}`,
      httpAddress: '127.0.0.1:0',
      log: silentLogger,
      debounceMs: 5,
      ca: {
        address: `127.0.0.1:${caPort}`,
        dir: this.file('ca'),
        trustDomain: 'cluster.local',
        serverNames: ['127.0.0.1'],
        tokensDir: this.file('tokens'),
        serviceAccounts: undefined,
      },
    })
  }
}

/** A service of one member, whose proxy opens the port at the member's own address before an application on this machine. */
export function serving({ name, ip, labels }: Member, port: number, appPort: number, protocol = 'http'): string {
  return `---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: ${protocol}, port: ${port} }] }
---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: ${JSON.stringify(labels)} }
spec: { serviceAccountName: ${name} }
status: { podIP: ${ip} }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${name} }
spec:
  workloadSelector: { labels: { app: ${name} } }
  ingress:
    - port: { number: ${port}, name: ${protocol}, protocol: ${protocol.toUpperCase()} }
      bind: ${ip}
      captureMode: NONE
      defaultEndpoint: 127.0.0.1:${appPort}
`
}

/** A member whose proxy takes calls for every service at the member's own address. */
export function calling({ name, ip }: Member, port: number): string {
  return `---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${name} }
spec:
  workloadSelector: { labels: { app: ${name} } }
  egress: [{ bind: ${ip}, port: { number: ${port}, name: http, protocol: HTTP }, hosts: ["./*"] }]
`
}

/** A sidecar of this name, which is also its account's, its application's and that of its service. */
export function member(name: string, ip: string, labels: Record<string, string> = MTLS): Member {
  return { type: 'sidecar', name, ip, labels: { app: name, ...labels }, account: name }
}

/** What the injector writes on workloads whose proxy has an identity. */
const MTLS = { 'security.istio.io/tlsMode': 'istio' }

export function meshMode(name: string): string {
  return `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: ${name} } }
`
}
