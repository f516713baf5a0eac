import { type BookinfoMesh, ROUTE_FILE } from './bookinfo-mesh.ts'
import { workloadYaml } from './config-text.ts'
import type { Share } from './statistics.ts'

/** One step of the release: one file that is written, and the split of traffic that is asked for with it. */
export interface Step {
  readonly title: string
  /** The file that changes, below the configuration directory; '' when none does. */
  readonly file: string
  readonly shares: readonly Share[]
  readonly measureMs: number
  /** What is true once the change has taken effect. */
  readonly effect: string
  /** Resolves to the text that was written. */
  change(mesh: BookinfoMesh): Promise<string>
  /** The version that nobody may reach any more, when the step is timed until its last answer. */
  readonly leaves?: string
  /** The workload whose own sidecar is asked whether it was called. */
  readonly isDark?: true
}

const MEASURE_MS = 2300

/** From v1 to v2 by degrees, and back at once. */
export const RELEASE: readonly Step[] = [
  {
    title: 'v1 is in production',
    file: '',
    effect: '',
    shares: split('everyone', 1),
    measureMs: MEASURE_MS,
    change: (mesh) => mesh.samples.read('release/1-all-v1.yaml'),
  },
  {
    title: 'v2 is deployed, and nothing reaches it',
    file: 'workloads/reviews-v2.yaml',
    effect: 'its app and sidecar are up',
    shares: split('everyone', 1),
    measureMs: MEASURE_MS,
    isDark: true,
    change: async (mesh) => {
      await mesh.deploy(mesh.layout.reviewsV2)
      return workloadYaml(mesh.layout.reviewsV2)
    },
  },
  routeStep('test users go to v2, and nobody else', '2-test-users', [...split('test users', 0), ...split('others', 1)]),
  routeStep('10 % of all others go to v2', '3-v2-10', [...split('test users', 0), ...split('others', 0.9)]),
  routeStep('50 % go to v2', '4-v2-50', [...split('test users', 0), ...split('others', 0.5)]),
  routeStep('everyone goes to v2', '5-all-v2', split('everyone', 0)),
  { ...routeStep('back to v1 at once', '1-all-v1', split('everyone', 1)), leaves: 'v2' },
]

function routeStep(title: string, sample: string, shares: Share[]): Step {
  return {
    title,
    file: ROUTE_FILE,
    effect: 'in force',
    shares,
    measureMs: MEASURE_MS,
    change: async (mesh) => {
      const text = await mesh.samples.read(`release/${sample}.yaml`)
      await mesh.config.write(ROUTE_FILE, text)
      return text
    },
  }
}

/** v1 is to answer this share, v2 the rest. */
function split(who: Share['who'], v1: number): Share[] {
  return [
    { who, version: 'v1', asked: v1 },
    { who, version: 'v2', asked: 1 - v1 },
  ]
}

/** The part of a step's YAML that matters to its reader: the rules of a route, else what there is of it. */
export function gist(text: string): string {
  const document = text.split('\n---\n')[0] ?? ''
  const lines = document.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const http = lines.findIndex((line) => /^ {2}http:/.test(line))
  return (http < 0 ? lines : lines.slice(http).map((line) => line.slice(2))).join('\n')
}
