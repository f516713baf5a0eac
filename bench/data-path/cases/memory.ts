import { residentMib } from '../../process.ts'
import { startBackend } from '../backend/nginx.ts'
import type { Case } from '../case.ts'
import type { HopShape } from '../hop.ts'
import { openIdle } from '../load/idle-connections.ts'
import { wrk } from '../load/wrk.ts'
import type { Measure, Outcome, Sample } from '../outcome.ts'
import { probeHttp1 } from '../probe.ts'
import { ROUNDS } from '../settings.ts'
import { type Contender, contenders, pidsOf, type Subject, startSubject } from '../subjects.ts'
import type { Workplace } from '../workplace.ts'
import { ALL_ENGINES, PLAIN, SMALL_BYTES } from './shapes.ts'

const CONNECTIONS = 5000
const CLUSTERS = 1000
/** After a subject's first answer, until its memory is read: V8 gives back what starting took after eight idle seconds. */
const REST_MS = 12_000
/** After what was asked of it then. */
const SETTLE_MS = 1000

const measure = (title: string, unit: string, digits: number, reach: number): Measure => ({
  title,
  unit,
  digits,
  better: 'lower',
  reference: 'envoy',
  held: 'lateen',
  must: { of: 'envoy', times: 1 },
  reach: { times: reach },
})

const IDLE = measure('Resident memory of a proxy twelve seconds after its start', 'MiB idle', 1, 55)
const CONNECTION = measure('Resident memory for each of 5,000 idle keep-alive connections', 'KiB/connection', 2, 8)
const CLUSTER = measure('Resident memory with 1,000 clusters loaded', 'MiB with clusters', 1, 90)

export const memory: Case = {
  name: 'memory',
  about: 'Resident memory of all processes of a proxy with one worker; each round starts them anew',
  run,
}

async function run(work: Workplace): Promise<readonly Outcome[]> {
  const backendPort = await startBackend(work, { protocol: 'http1', hasTls: false, bodyBytes: SMALL_BYTES })
  const idle = new Map<string, Sample[]>()
  const connection = new Map<string, Sample[]>()
  const cluster = new Map<string, Sample[]>()
  const notes = new Set<string>()
  for (let round = 1; round <= ROUNDS; round++) {
    for (const contender of contenders(ALL_ENGINES, PLAIN)) {
      // One after the other: one that starts while another rests on its core would keep that from resting.
      const figures = await measurePlain(work, contender, backendPort)
      const clusters = await measureClusters(work, contender, backendPort)
      if (figures === undefined || clusters === undefined) notes.add(`${contender.label} is not here`)
      else {
        push(idle, contender.label, figures.idleMib)
        push(connection, contender.label, figures.connectionKib)
        push(cluster, contender.label, clusters)
      }
    }
    process.stderr.write(` ${round}`)
  }
  process.stderr.write('\n')
  return [
    { measure: IDLE, samples: idle, notes: [...notes] },
    { measure: CONNECTION, samples: connection, notes: [] },
    { measure: CLUSTER, samples: cluster, notes: [] },
  ]
}

/** Fresh, then with idle connections; between the two some load, so that what grows with use is not counted as theirs. */
async function measurePlain(
  work: Workplace,
  contender: Contender,
  backendPort: number,
): Promise<{ idleMib: number; connectionKib: number } | undefined> {
  const subject = await startFresh(work, contender, backendPort)
  if (subject === undefined) return undefined
  const idleMib = residentOf(subject)
  await wrk(work, subject.port, { connections: 64, seconds: 1 })
  await wait(SETTLE_MS)
  const usedMib = residentOf(subject)
  const sockets = await openIdle(subject.port, CONNECTIONS)
  await wait(SETTLE_MS)
  const connectionKib = ((residentOf(subject) - usedMib) * 1024) / CONNECTIONS
  for (const socket of sockets) socket.destroy()
  await work.stop(subject.processes)
  return { idleMib, connectionKib }
}

async function measureClusters(
  work: Workplace,
  contender: Contender,
  backendPort: number,
): Promise<number | undefined> {
  const hops = contender.hops.map((hop): HopShape => ({ ...hop, extraClusters: CLUSTERS }))
  const subject = await startFresh(work, { ...contender, hops }, backendPort)
  if (subject === undefined) return undefined
  const mib = residentOf(subject)
  await work.stop(subject.processes)
  return mib
}

async function startFresh(work: Workplace, contender: Contender, backendPort: number): Promise<Subject | undefined> {
  const subject = await startSubject(work, contender, backendPort)
  if (subject === undefined) return undefined
  await probeHttp1(subject.port, { bodyBytes: SMALL_BYTES })
  await wait(REST_MS)
  return subject
}

function residentOf(subject: Subject): number {
  return pidsOf(subject).reduce((sum, pid) => sum + residentMib(pid), 0)
}

function push(samples: Map<string, Sample[]>, label: string, value: number): void {
  samples.set(label, [...(samples.get(label) ?? []), { value }])
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
