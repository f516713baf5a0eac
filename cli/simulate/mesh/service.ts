import type { Clock } from '../../../lib/clock.ts'
import type { Random } from '../../../lib/random.ts'
import type { CallTally } from '../report/tally.ts'
import type { FailureModel, ServiceModel, VersionModel } from '../scenario/model.ts'
import { CallChain, type ServiceCall } from './calls.ts'
import { Endpoint, type EndpointModel } from './endpoint.ts'
import type { Network } from './network.ts'
import { addressOf, type PodIdentity, podOf } from './objects.ts'
import type { SimulatedProxy } from './proxy.ts'

interface Replica {
  readonly pod: PodIdentity
  readonly endpoint: Endpoint
  readonly random: Random
  proxy: SimulatedProxy | undefined
  isRemoved: boolean
}

/** A service as it runs: its endpoints, and the proxies by which they call others. */
export class SimulatedService {
  readonly model: ServiceModel
  /** Of calls to it. */
  readonly tally: CallTally
  calls: readonly ServiceCall[] = []
  /** Makes the proxy beside an endpoint; undefined for services that call nobody. */
  proxyFor: ((pod: PodIdentity, version: string) => SimulatedProxy) | undefined
  readonly #network: Network
  readonly #clock: Clock
  readonly #randomOf: (name: string) => Random
  readonly #replicas = new Map<string, Replica[]>()
  readonly #byEndpoint = new Map<Endpoint, Replica>()
  #count = 0

  constructor(
    model: ServiceModel,
    tally: CallTally,
    network: Network,
    clock: Clock,
    randomOf: (name: string) => Random,
  ) {
    this.model = model
    this.tally = tally
    this.#network = network
    this.#clock = clock
    this.#randomOf = randomOf
  }

  /** By version, in the order of the scenario. Those that were removed are there too. */
  endpointsOf(version: string): readonly Endpoint[] {
    return (this.#replicas.get(version) ?? []).map(({ endpoint }) => endpoint)
  }

  /** More endpoints of a version, with addresses from `firstAddress` on. */
  add(version: string, count: number, firstAddress: number): PodIdentity[] {
    const { name, namespace, localities } = this.model
    const of = this.model.versions.find((one) => one.name === version) as VersionModel
    const before = this.#replicas.get(version) ?? []
    this.#replicas.set(version, before)
    const pods: PodIdentity[] = []
    for (let i = 0; i < count; i++) {
      const locality = localities.length === 0 ? '' : (localities[this.#count++ % localities.length] as string)
      const address = addressOf(firstAddress + i)
      const pod = podOf(name, namespace, version, locality, before.length, address)
      const failures = this.model.failures.filter((failure) => meets(failure, this.model, of, before.length))
      const random = this.#randomOf(`endpoint ${pod.name}`)
      const endpoint = new Endpoint(pod.name, address, version, this.#modelOf(of), failures, this.#clock, random)
      const replica: Replica = { pod, endpoint, random, proxy: this.proxyFor?.(pod, version), isRemoved: false }
      before.push(replica)
      this.#byEndpoint.set(endpoint, replica)
      this.#network.add(endpoint)
      pods.push(pod)
    }
    return pods
  }

  /** Takes the last ones away; they go on with what they have. */
  remove(version: string, count: number): PodIdentity[] {
    const present = (this.#replicas.get(version) ?? []).filter(({ isRemoved }) => !isRemoved)
    const gone = present.slice(Math.max(0, present.length - count))
    for (const replica of gone) replica.isRemoved = true
    return gone.map(({ pod }) => pod)
  }

  makeProxies(): void {
    for (const replica of this.#byEndpoint.values())
      replica.proxy ??= this.proxyFor?.(replica.pod, replica.endpoint.version)
  }

  #modelOf({ latency, concurrency }: VersionModel): EndpointModel {
    const { maxQueue, stopsWhenAbandoned, calls } = this.model
    const callOthers = (endpoint: Endpoint, done: (status: number) => void) => {
      const { proxy, random } = this.#byEndpoint.get(endpoint) as Replica
      new CallChain(this.calls, proxy as SimulatedProxy, this.#clock, random, done).proceed()
    }
    return { latency, concurrency, maxQueue, stopsWhenAbandoned, callOthers: calls.length > 0 ? callOthers : undefined }
  }
}

/** Whether a failure meets the `index`-th endpoint of a version; without a version all are counted through. */
function meets(failure: FailureModel, { versions }: ServiceModel, of: VersionModel, index: number): boolean {
  const { version, endpoints, fraction } = failure
  if (version !== undefined && version !== of.name) return false
  let number = index
  let total = of.replicas
  if (version === undefined) {
    for (const other of versions.slice(0, versions.indexOf(of))) number += other.replicas
    total = versions.reduce((sum, { replicas }) => sum + replicas, 0)
  }
  if (endpoints !== undefined) return number < endpoints
  return fraction === undefined || number < Math.round(fraction * total)
}
