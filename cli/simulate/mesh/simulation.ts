import { objectKey, refOf } from '../../../config/object.ts'
import { EventClock } from '../../../lib/event-clock.ts'
import { createLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { type Random, seededRandom } from '../../../lib/random.ts'
import { TimerWheel } from '../../../lib/timer-wheel.ts'
import { Publisher } from '../../../pilot/publisher.ts'
import { kubernetesHost } from '../../../pilot/registry/kubernetes-service.ts'
import { BugReporter } from '../../../proxy/stream/bugs.ts'
import { DateHeader } from '../../../proxy/stream/date.ts'
import { OutBuffer } from '../../../proxy/stream/out-buffer.ts'
import { CliError } from '../../exit.ts'
import { CounterSamples } from '../report/counters.ts'
import { CallTally } from '../report/tally.ts'
import type { ChangeModel, RequestModel, ScenarioModel } from '../scenario/model.ts'
import { Client } from './client.ts'
import { ProxyGroup } from './group.ts'
import { Network } from './network.ts'
import { clientPods, joined, podKey, podText, serviceAddress, serviceText } from './objects.ts'
import { SimulatedProxy, type World } from './proxy.ts'
import { SimulatedService } from './service.ts'
import { ScenarioSource } from './source.ts'
import { type CallTarget, requestBytes } from './target.ts'

/** Where simulated time begins: 2020-01-01. */
const WALL_START_MS = 1_577_836_800_000
/** How long after the end answers are still waited for. */
const GRACE_MS = 60_000
const GRACE_STEP_MS = 1_000

/** Something that happened to the configuration. */
export interface ConfigEvent {
  readonly atMs: number
  readonly generation: number
  /** What proxies would refuse of it. */
  readonly refused: readonly string[]
}

/** A scenario on its way: services, clients, the pilot and every proxy between them, on one clock. */
export class Simulation {
  readonly model: ScenarioModel
  readonly clock = new EventClock(WALL_START_MS)
  readonly services = new Map<string, SimulatedService>()
  readonly clients: Client[] = []
  readonly configEvents: ConfigEvent[] = []
  readonly counters: CounterSamples
  readonly #seed: number
  readonly #source = new ScenarioSource()
  readonly #publisher: Publisher
  readonly #network: Network
  readonly #groups = new Map<string, ProxyGroup>()
  readonly #world: World
  readonly #stores = new Map<string, MetricStore>()
  readonly #bugs = new MetricStore()
  #addresses = 1

  /** Throws a CliError when the configuration has errors. */
  constructor(model: ScenarioModel, seed: number) {
    this.model = model
    this.#seed = seed
    const { clock } = this
    this.#network = new Network(clock, model.networkLatencyMs)
    this.#world = {
      clock,
      wheel: new TimerWheel(clock),
      date: new DateHeader(clock),
      out: new OutBuffer(),
      bugs: new BugReporter(this.#bugs, createLogger('simulate')),
      wire: this.#network,
      downstreams: 0,
    }
    const texts = model.services.map((service, i) => serviceText(service, serviceAddress(i + 1)))
    for (const service of model.services) {
      const simulated = new SimulatedService(service, this.#tally(), this.#network, clock, (name) =>
        this.randomOf(name),
      )
      this.services.set(service.name, simulated)
      for (const version of service.versions) {
        for (const pod of simulated.add(version.name, version.replicas, this.#takeAddresses(version.replicas))) {
          texts.push(podText(pod))
        }
      }
    }
    const pods = model.clients.map((client) => clientPods(client, this.#takeAddresses(client.proxies)))
    texts.push(...pods.flat().map(podText))
    this.#source.apply([joined(texts)])
    this.#source.apply(model.config)
    refuseErrors(this.#source)
    for (const { config } of model.changes) {
      // Said now, and not when its time has come.
      const alone = new ScenarioSource()
      alone.apply(config)
      refuseErrors(alone)
    }
    this.#publisher = new Publisher({ source: this.#source, clock, logger: createLogger('pilot') })
    model.clients.forEach((client, i) => {
      const group = (pods[i] ?? []).map((pod) => this.#proxyOf(client.name, '', pod))
      const target = this.#targetOf(client.service, client.namespace, client.request)
      const { tally } = this.services.get(client.service) as SimulatedService
      const random = this.randomOf(`client ${client.name}`)
      this.clients.push(new Client(client, target, group, this.#tally(), tally, clock, random))
    })
    for (const service of this.services.values()) {
      const { namespace, name, calls } = service.model
      service.calls = calls.map((call) => ({
        model: call,
        target: this.#targetOf(call.service, namespace, call.request),
        tally: (this.services.get(call.service) as SimulatedService).tally,
      }))
      if (calls.length > 0) service.proxyFor = (pod, version) => this.#proxyOf(name, version, pod)
      service.makeProxies()
    }
    this.#noteConfig()
    this.#publisher.onGeneration(() => this.#noteConfig())
    const { domain } = this.#publisher.mesh.options
    const hosts = model.services.map(({ name, namespace }) => [kubernetesHost(name, namespace, domain), name] as const)
    this.counters = new CounterSamples([...this.#stores.values()], new Map(hosts))
  }

  /** Runs it to its end. */
  run(): void {
    const { clock, model } = this
    for (const change of model.changes) clock.setTimer(change.atMs, () => this.#change(change))
    for (const client of this.clients) client.begin()
    for (let i = 1; i <= model.slices; i++) {
      clock.runUntil((model.durationMs * i) / model.slices)
      this.counters.take()
    }
    const endMs = model.durationMs + GRACE_MS
    while (clock.nowMs() < endMs && this.clients.some((client) => client.pending > 0)) {
      clock.runUntil(clock.nowMs() + GRACE_STEP_MS)
    }
    this.counters.take()
    this.#publisher.close()
  }

  /** What is worth knowing of the configuration at its end, for people: what has no effect, and what leads nowhere. */
  get notes(): string[] {
    const findings = this.#publisher.findings.filter(({ severity }) => severity !== 'info')
    return findings.map(({ file, line, message, code }) => `${file}:${line}: ${message} [${code}]`)
  }

  /** Bugs of our own that were met on the way. */
  get bugs(): number {
    return this.#bugs.counter('bug_total').value
  }

  get proxyCount(): number {
    let count = 0
    for (const { proxies } of this.#groups.values()) count += proxies.length
    return count
  }

  /** Each part has dice of its own, so that what happens in one does not change those of the others. */
  randomOf(name: string): Random {
    let hash = 0x811c9dc5 ^ this.#seed
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    return seededRandom(hash >>> 0)
  }

  #tally(): CallTally {
    return new CallTally(this.model.slices, this.model.durationMs / this.model.slices)
  }

  #takeAddresses(count: number): number {
    const first = this.#addresses
    this.#addresses += count
    return first
  }

  #proxyOf(owner: string, version: string, pod: Parameters<typeof podText>[0]): SimulatedProxy {
    const key = `${owner} ${version} ${pod.locality}`
    let group = this.#groups.get(key)
    if (group === undefined) {
      const metrics = this.#stores.get(owner) ?? new MetricStore()
      this.#stores.set(owner, metrics)
      group = new ProxyGroup(owner, metrics, pod, this.#publisher)
      this.#groups.set(key, group)
      group.update()
    }
    const proxy = new SimulatedProxy(this.#world, group, pod.address, this.randomOf(`proxy ${pod.name}`))
    group.proxies.push(proxy)
    return proxy
  }

  /** As an application of this namespace would name the service, and its resolver the address. */
  #targetOf(service: string, namespace: string, { method, path, headers }: RequestModel): CallTarget {
    const called = (this.services.get(service) as SimulatedService).model
    const { registry, options } = this.#publisher.mesh
    const host = kubernetesHost(called.name, called.namespace, options.domain)
    const address = registry.services.find((one) => one.host === host)?.addresses[0] ?? '0.0.0.0'
    const name = called.namespace === namespace ? called.name : `${called.name}.${called.namespace}`
    const authority = called.port === 80 ? name : `${name}:${called.port}`
    return { service, address, port: called.port, bytes: requestBytes(method, path, authority, headers) }
  }

  #change(change: ChangeModel): void {
    const texts: ReturnType<typeof podText>[] = []
    const known = new Set(this.#source.current().objects.map((object) => objectKey(refOf(object))))
    for (const key of change.deleted) {
      const place = `${this.model.file}:${change.line}`
      if (!known.has(key)) throw new CliError(`${place}: there is no ${key} to delete at ${change.atMs / 1000}s`)
    }
    const deleted = [...change.deleted]
    for (const { service, version, add, remove } of change.endpoints) {
      const simulated = this.services.get(service) as SimulatedService
      deleted.push(...simulated.remove(version, remove).map(podKey))
      texts.push(...simulated.add(version, add, this.#takeAddresses(add)).map(podText))
    }
    this.#source.apply(texts.length > 0 ? [...change.config, joined(texts)] : change.config, deleted)
  }

  /** Gives every proxy what the pilot has now. */
  #noteConfig(): void {
    const refused = new Set<string>()
    for (const group of this.#groups.values()) for (const text of group.update()) refused.add(text)
    this.configEvents.push({
      atMs: this.clock.nowMs(),
      generation: this.#publisher.generation,
      refused: [...refused],
    })
  }
}

function refuseErrors(source: ScenarioSource): void {
  const errors = source.current().findings.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return
  throw new CliError(errors.map(({ file, line, message, code }) => `${file}:${line}: ${message} [${code}]`).join('\n'))
}
