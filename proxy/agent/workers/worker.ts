import { parentPort, workerData } from 'node:worker_threads'
import { fromBinary } from '@bufbuild/protobuf'
import { BootstrapSchema } from '../../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { systemClock } from '../../../lib/clock.ts'
import { createLogger, setLogLevel } from '../../../lib/log.ts'
import { MetricStore, type SharedMetric } from '../../../lib/metrics/store.ts'
import { DataPlane } from '../../data-plane.ts'
import { nodeFacts } from '../../node-facts.ts'
import { EMPTY_PLAN } from '../../plan/plan.ts'
import { SharedBreakerTable } from '../../upstream/breaker-counts.ts'
import { SharedHostTable } from '../../upstream/host-table/shared-host-table.ts'
import { ResourceSet } from '../../xds/resource-set.ts'
import { compileStatic } from '../bootstrap.ts'
import { maxDownstreamConnections } from '../overload.ts'
import { clusterStatuses, LocalPlane } from '../planes.ts'
import type { FromWorker, ToWorker, WorkerBirth } from './messages.ts'

/*
 * One worker thread: a data plane with sockets of its own. It is given configuration as bytes, compiles it for itself, and
 * shares with the other threads only what it counts.
 */

const STATE_INTERVAL_MS = 500

const birth = workerData as WorkerBirth
const port = parentPort
if (port === null) throw new Error('not a worker thread')
const tell = (message: FromWorker) => port.postMessage(message)

setLogLevel(birth.logLevel)
const log = createLogger(`worker ${birth.thread}`)
process.on('uncaughtException', (error) => log.error('bug', { error: error.stack }))
process.on('unhandledRejection', (reason) => log.error('bug', { error: String(reason) }))

let created: SharedMetric[] = []
let released: SharedMetric[] = []
const metrics = new MetricStore(
  (metric) => {
    if (created.length === 0) setImmediate(tellMetrics)
    created.push(metric)
  },
  (metric) => {
    if (released.length === 0) setImmediate(tellReleased)
    released.push(metric)
  },
)

function tellMetrics(): void {
  if (created.length === 0) return
  tell({ kind: 'metrics', metrics: created })
  created = []
}

/** What was made first is told first: a metric may be over before anybody has heard of it. */
function tellReleased(): void {
  tellMetrics()
  tell({ kind: 'released', metrics: released })
  released = []
}

const bootstrap = fromBinary(BootstrapSchema, birth.bootstrap)
const plane = new DataPlane({
  log,
  metrics,
  breakers: new SharedBreakerTable(birth.breakers, birth.thread),
  hosts: new SharedHostTable(birth.hosts, birth.thread, systemClock),
  tokens: birth.tokens,
  localCluster: bootstrap.node?.cluster ?? '',
  node: nodeFacts(bootstrap.node),
  sharesPorts: true,
  maxSeries: birth.maxSeries,
  turnWaitUs: birth.turnWaitUs,
  maxDownstreamConnections: maxDownstreamConnections(bootstrap),
})
const local = new LocalPlane(plane)
const fixed = compileStatic(bootstrap, birth.file, new Set(birth.managementClusters), birth.secrets)
let order = 0
const resources = new ResourceSet(
  {
    clock: systemClock,
    staticClusters: fixed.clusters,
    staticListeners: fixed.listeners,
    staticSecrets: fixed.staticSecrets,
    localNames: birth.secrets.localNames,
    grpcClusters: birth.secrets.grpcClusters,
    publish: async (plan) => {
      await plane.setPlan(plan)
      tellState()
      settle()
    },
  },
  EMPTY_PLAN,
)

function settle(): void {
  if (!resources.isScheduled) tell({ kind: 'settled', order })
}

function tellState(): void {
  tell({ kind: 'state', connections: plane.connectionCount, listeners: local.listeners() })
}

function tellStateNowAndThen(): void {
  tellState()
  systemClock.setTimer(STATE_INTERVAL_MS, tellStateNowAndThen)
}

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'resources':
      order = message.order
      resources.take(message.resources)
      settle()
      break
    case 'clusters':
      tell({ kind: 'clusters', request: message.request, clusters: clusterStatuses(plane) })
      break
    case 'drain':
      void plane.drain(message.deadlineMs).then(() => tell({ kind: 'drained' }))
      break
    case 'scraped':
      metrics.scrapes++
      break
    case 'reopen_logs':
      plane.telemetry.reopenLogs()
      break
    case 'forgotten':
      for (const metric of message.metrics) metrics.free(metric)
      break
    case 'close':
      resources.close()
      void plane.end().then(() => {
        tell({ kind: 'closed' })
        port.close()
      })
      break
  }
})

const failures = await plane.setPlan(resources.start())
tellMetrics()
tellStateNowAndThen()
tell({ kind: 'started', failures })
