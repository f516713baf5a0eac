import type { Outcome } from './outcome.ts'
import type { Workplace } from './workplace.ts'

export interface Case {
  /** As on the command line. */
  readonly name: string
  /** One sentence: what goes where under what load. */
  readonly about: string
  run(work: Workplace): Promise<readonly Outcome[]>
}
