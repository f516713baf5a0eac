import { cpuSeconds } from '../../process.ts'
import type { Case } from '../case.ts'
import type { Load } from '../load/wrk.ts'
import type { Bound, Measure, Outcome, Sample } from '../outcome.ts'
import { rangeText } from '../report/rows.ts'
import { interleave, type Rounds } from '../rounds.ts'
import { spread } from '../statistics.ts'
import { type Contender, pidsOf, type Subject, startSubject } from '../subjects.ts'
import type { Workplace } from '../workplace.ts'

export interface CpuCase {
  readonly name: string
  readonly about: string
  readonly contenders: readonly Contender[]
  startBackend(work: Workplace): Promise<number>
  /** Rejects unless the subject answers as the backend does. */
  probe(port: number, work: Workplace): Promise<void>
  load(work: Workplace, port: number): Promise<Load>
  /** CPU time per request by default. With bytes per answer: megabytes per second of CPU time. */
  readonly bytesPerRequest?: number
  readonly reference?: string
  readonly must: Bound
  readonly reach: Bound
}

/** A case that holds CPU time of the proxies, user and system, against what they served in it. */
export function cpuCase(definition: CpuCase): Case {
  return { name: definition.name, about: definition.about, run: (work) => runCpuCase(definition, work) }
}

async function runCpuCase(definition: CpuCase, work: Workplace): Promise<readonly Outcome[]> {
  const backendPort = await definition.startBackend(work)
  const subjects: Subject[] = []
  const notes: string[] = []
  for (const contender of definition.contenders) {
    const subject = await startSubject(work, contender, backendPort)
    if (subject === undefined) notes.push(`${contender.label} is not here`)
    else {
      await definition.probe(subject.port, work)
      subjects.push(subject)
    }
  }
  const measure = measureOf(definition)
  const rounds = await interleave(subjects, (subject) => measureOne(definition, work, subject))
  notes.push(...coreNotes(rounds, measure))
  return [{ measure, samples: rounds.samples, notes }]
}

/** How far the cores were from each other, and what was measured again because of that. */
function coreNotes({ apart, apartCount, distanceNs }: Rounds<Sample>, { unit, digits }: Measure): readonly string[] {
  const way = `from core to core and back: ${distanceNs.median.toFixed(0)} ns (${rangeText(distanceNs, 0)})`
  if (apartCount === 0) return [way]
  const medians = [...apart].flatMap(([label, samples]) => {
    const { median } = spread(samples.map(({ value }) => value))
    return Number.isNaN(median) ? [] : [`${label} ${median.toFixed(digits)} (${samples.length})`]
  })
  return [way, `measured again, since the cores were apart; ${unit}, medians (how often): ${medians.join(', ')}`]
}

async function measureOne(definition: CpuCase, work: Workplace, subject: Subject): Promise<Sample> {
  const cpuOfAll = () => pidsOf(subject).reduce((sum, pid) => sum + cpuSeconds(pid), 0)
  const before = cpuOfAll()
  const { requests, requestsPerSecond } = await definition.load(work, subject.port)
  const seconds = cpuOfAll() - before
  const bytes = definition.bytesPerRequest
  return {
    value: bytes === undefined ? (seconds * 1e6) / requests : (requests * bytes) / 1e6 / seconds,
    requestsPerSecond,
  }
}

function measureOf({ about, bytesPerRequest, reference = 'envoy', must, reach }: CpuCase): Measure {
  const isRate = bytesPerRequest !== undefined
  return {
    title: about,
    unit: isRate ? 'MB/CPU s' : 'CPU us/request',
    digits: isRate ? 0 : 1,
    better: isRate ? 'higher' : 'lower',
    reference,
    held: 'lateen',
    must,
    reach,
  }
}
