import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { toBinary } from '@bufbuild/protobuf'
import { type Bootstrap, BootstrapSchema } from '../../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import type { Clock } from '../../../lib/clock.ts'
import { MeshError } from '../../../lib/errors.ts'
import { type Logger, logLevel } from '../../../lib/log.ts'
import { MergedMetrics } from '../../../lib/metrics/merged.ts'
import type { MetricStore } from '../../../lib/metrics/store.ts'
import { randomInt, systemRandom } from '../../../lib/random.ts'
import type { ListenerFailure } from '../../data-plane.ts'
import { SEEDS, tokenMemory } from '../../limits/token-table.ts'
import { clearThread, sharedBreakerMemory } from '../../upstream/breaker-counts.ts'
import { clearHostThread, sharedHostMemory } from '../../upstream/host-table/shared-host-table.ts'
import type { RelayedResources, ResourceSet } from '../../xds/resource-set.ts'
import type { OtherSecrets } from '../bootstrap.ts'
import { type ClusterStatus, type ListenerStatus, mergedStatuses, type Planes } from '../planes.ts'
import type { FromWorker, ToWorker, WorkerBirth } from './messages.ts'

/** How long a worker may take to say what its clusters do, before it is left out of the page. */
const ANSWER_MS = 2_000
/** A worker that ended by a fault is started again after so long. */
const RESTART_MS = 1_000
/** How long a worker may take to let everything go, a second of it for servers of logs and spans. */
const CLOSE_MS = 2_000

export interface WorkerPoolOptions {
  readonly bootstrap: Bootstrap
  readonly file: string
  readonly managementClusters: readonly string[]
  readonly secrets: OtherSecrets
  readonly count: number
  readonly maxSeries?: number | undefined
  readonly turnWaitUs?: number | undefined
  readonly clock: Clock
  readonly log: Logger
  /** The metrics of this thread. */
  readonly metrics: MetricStore
}

interface Member {
  readonly worker: Worker
  connections: number
  listeners: readonly ListenerStatus[]
  settledOrder: number
}

/** Data planes in threads, each with sockets of its own on the same addresses. */
export class WorkerPool implements Planes {
  readonly metrics: MergedMetrics
  isDraining = false
  readonly #options: WorkerPoolOptions
  readonly #breakers
  readonly #hosts
  readonly #tokens = tokenMemory(randomInt(systemRandom, SEEDS))
  readonly #members = new Map<number, Member>()
  readonly #restarts
  readonly #asked = new Map<number, { answers: (readonly ClusterStatus[])[]; done: () => void }>()
  #resources: ResourceSet | undefined
  #order = 0
  #requests = 0
  #isClosing = false
  #drained: (() => void) | undefined
  #leftToDrain = 0

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#breakers = sharedBreakerMemory(options.count)
    this.#hosts = sharedHostMemory(options.count)
    this.metrics = new MergedMetrics(options.metrics)
    this.#restarts = options.metrics.counter('server.worker_restarts')
  }

  /** Where a worker that is started again gets what the others have. */
  follow(resources: ResourceSet): void {
    this.#resources = resources
  }

  get isSettled(): boolean {
    for (const member of this.#members.values()) if (member.settledOrder < this.#order) return false
    return this.#members.size === this.#options.count
  }

  get connectionCount(): number {
    let count = 0
    for (const { connections } of this.#members.values()) count += connections
    return count
  }

  /** The first time starts the workers; they make their plans themselves, of what is relayed to them. */
  async setPlan(): Promise<readonly ListenerFailure[]> {
    if (this.#members.size > 0 || this.#isClosing) return []
    const starts = Array.from({ length: this.#options.count }, (_, thread) => this.#start(thread))
    const failures = (await Promise.all(starts)).flat()
    // Every worker says the same of an address that cannot be had.
    return [...new Map(failures.map((failure) => [failure.listener, failure])).values()]
  }

  relay(resources: RelayedResources): void {
    this.#order++
    for (const { worker } of this.#members.values()) post(worker, { kind: 'resources', order: this.#order, resources })
  }

  noteScrape(): void {
    this.#options.metrics.scrapes++
    for (const { worker } of this.#members.values()) post(worker, { kind: 'scraped' })
  }

  reopenLogs(): void {
    for (const { worker } of this.#members.values()) post(worker, { kind: 'reopen_logs' })
  }

  listeners(): readonly ListenerStatus[] {
    const [first] = this.#members.values()
    return first?.listeners ?? []
  }

  async clusters(): Promise<readonly ClusterStatus[]> {
    const request = ++this.#requests
    const answers: (readonly ClusterStatus[])[] = []
    await new Promise<void>((done) => {
      this.#asked.set(request, { answers, done })
      this.#options.clock.setTimer(ANSWER_MS, done)
      for (const { worker } of this.#members.values()) post(worker, { kind: 'clusters', request })
      if (this.#members.size === 0) done()
    })
    this.#asked.delete(request)
    return mergedStatuses(answers)
  }

  drain(deadlineMs: number): Promise<void> {
    this.isDraining = true
    this.#leftToDrain = this.#members.size
    if (this.#leftToDrain === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#drained = resolve
      for (const { worker } of this.#members.values()) post(worker, { kind: 'drain', deadlineMs })
    })
  }

  async close(): Promise<void> {
    this.#isClosing = true
    const ends = [...this.#members.values()].map(async ({ worker }) => {
      // What it holds, such as lines of logs, is written first; one that hangs is not waited for.
      await new Promise<void>((resolve) => {
        worker.on('message', ({ kind }: FromWorker) => kind === 'closed' && resolve())
        worker.once('exit', () => resolve())
        this.#options.clock.setTimer(CLOSE_MS, resolve)
        post(worker, { kind: 'close' })
      })
      await worker.terminate()
    })
    await Promise.all(ends)
  }

  // === workers ===

  #start(thread: number): Promise<readonly ListenerFailure[]> {
    const { bootstrap, file, managementClusters, secrets, log } = this.#options
    const birth: WorkerBirth = {
      thread,
      bootstrap: toBinary(BootstrapSchema, bootstrap),
      file,
      managementClusters,
      secrets,
      breakers: this.#breakers,
      hosts: this.#hosts,
      tokens: this.#tokens,
      logLevel: logLevel(),
      maxSeries: this.#options.maxSeries,
      turnWaitUs: this.#options.turnWaitUs,
    }
    const worker = new Worker(workerFile(), { workerData: birth })
    const member: Member = { worker, connections: 0, listeners: [], settledOrder: 0 }
    this.#members.set(thread, member)
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'started') resolve(message.failures)
        else this.#onMessage(thread, member, message)
      })
      worker.on('error', (error) => {
        log.error('a worker failed', { thread, error: error.stack })
        reject(error)
      })
      worker.on('exit', () => this.#onExit(thread, member))
    })
  }

  #onMessage(thread: number, member: Member, message: FromWorker): void {
    switch (message.kind) {
      case 'metrics':
        for (const metric of message.metrics) this.metrics.add(thread, metric)
        break
      case 'released':
        for (const metric of message.metrics) this.metrics.forget(thread, metric)
        post(member.worker, { kind: 'forgotten', metrics: message.metrics })
        break
      case 'state':
        member.connections = message.connections
        member.listeners = message.listeners
        break
      case 'settled':
        member.settledOrder = message.order
        break
      case 'clusters': {
        const asked = this.#asked.get(message.request)
        asked?.answers.push(message.clusters)
        if (asked?.answers.length === this.#members.size) asked.done()
        break
      }
      case 'drained':
        if (--this.#leftToDrain <= 0) this.#drained?.()
        break
      default:
    }
  }

  /** A worker that ended unasked is started again with all that the others were given; these serve on meanwhile. */
  #onExit(thread: number, member: Member): void {
    if (this.#members.get(thread) !== member) return
    this.#members.delete(thread)
    this.metrics.drop(thread)
    clearThread(this.#breakers, thread)
    clearHostThread(this.#hosts, thread)
    if (this.isDraining && --this.#leftToDrain <= 0) this.#drained?.()
    if (this.#isClosing || this.isDraining) return
    this.#restarts.inc()
    const { clock, log } = this.#options
    log.error('a worker ended; it is started again', { thread })
    clock.setTimer(RESTART_MS, () => {
      if (this.#isClosing) return
      this.#start(thread).then(
        () => this.#bringUp(thread),
        () => {},
      )
    })
  }

  #bringUp(thread: number): void {
    const member = this.#members.get(thread)
    if (member === undefined || this.#resources === undefined) return
    for (const resources of this.#resources.snapshot()) {
      post(member.worker, { kind: 'resources', order: this.#order, resources })
    }
  }
}

function post(worker: Worker, message: ToWorker): void {
  worker.postMessage(message)
}

/** Beside the bundle of the command, whichever of its chunks this is in. */
function workerFile(): string {
  const file = fileURLToPath(new URL('../proxy/agent/workers/worker.js', import.meta.url))
  if (!existsSync(file)) {
    throw new MeshError('WORKER_MISSING', `${file} is not there; run: npm run build`, { source: 'local' })
  }
  return file
}
