import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { systemClock } from '../../lib/clock.ts'
import { parseArguments } from './arguments.ts'
import type { Case } from './case.ts'
import { CASES } from './cases/all.ts'
import { distFile } from './dist.ts'
import type { Outcome } from './outcome.ts'
import { mergeDocument } from './report/document.ts'
import { machineText } from './report/machine.ts'
import { sectionText } from './report/markdown.ts'
import { outcomeText } from './report/text.ts'
import { verdictText } from './report/verdict-text.ts'
import { ROUNDS, SECONDS } from './settings.ts'
import { Workplace } from './workplace.ts'

/** What shells make of an end by SIGINT. */
const INTERRUPTED = 130
const DOCUMENT = '../docs/performance.md'

/** Runs the cases that the arguments name, or all. A case that fails is told at once and at the end, and the others run. */
export async function benchDataPath(args: readonly string[]): Promise<void> {
  const names = CASES.map(({ name }) => name)
  const { cases, writes, date = today() } = parseArguments(args, names)
  const machine = machineText()
  process.stdout.write(`${machine}\n${ROUNDS} rounds of ${SECONDS} s, medians; ratios are paired by round\n\n`)
  const measured = new Map<string, readonly Outcome[]>()
  const failed: string[] = []
  for (const one of CASES.filter(({ name }) => cases.length === 0 || cases.includes(name))) {
    try {
      measured.set(one.name, await runCase(one))
      // After each, so that a run that is cut short leaves what it measured.
      if (writes) write(machine, date, measured, names)
    } catch (error) {
      failed.push(one.name)
      process.stdout.write(`FAILED ${one.name}: ${(error as Error).message}\n\n`)
    }
  }
  for (const [name, outcomes] of measured) process.stdout.write(summary(name, outcomes))
  if (writes && measured.size > 0) process.stdout.write('written: docs/performance.md\n')
  if (failed.length > 0) {
    process.stdout.write(`FAILED: ${failed.join(', ')}\n`)
    process.exitCode = 1
  }
}

/** Starts all that a case needs, and stops it whatever happens. */
async function runCase(one: Case): Promise<readonly Outcome[]> {
  process.stdout.write(`-- ${one.name} --\n`)
  const work = new Workplace()
  let isInterrupted = false
  const interrupt = () => {
    isInterrupted = true
    void work.close()
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  try {
    const outcomes = await one.run(work)
    process.stdout.write(`${outcomes.map(outcomeText).join('\n')}\n`)
    return outcomes
  } finally {
    await work.close()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    if (isInterrupted) process.exit(INTERRUPTED)
  }
}

function summary(name: string, outcomes: readonly Outcome[]): string {
  return outcomes
    .map(
      (outcome) =>
        `${name}, ${outcome.measure.unit}: ${verdictText(outcome, 'must')}; ${verdictText(outcome, 'reach')}\n`,
    )
    .join('')
}

function write(
  machine: string,
  date: string,
  measured: ReadonlyMap<string, readonly Outcome[]>,
  names: readonly string[],
): void {
  const file = distFile(DOCUMENT)
  const how = `Measured ${date}, ${ROUNDS} rounds of ${SECONDS} s.`
  const sections = new Map<string, string>()
  for (const { name, about } of CASES) {
    const outcomes = measured.get(name)
    if (outcomes !== undefined) sections.set(name, sectionText(name, about, how, outcomes))
  }
  const head = `# Speed of the data path

What \`npm run bench -- proxy --write\` measured, proxies on one core with one worker, load and backends on the other:

${machine}

Figures are medians over rounds in which each proxy had its turn; ratios are the medians of those within each
round. [bench/README.md](../bench/README.md) says what is measured and how.`
  writeFileSync(file, mergeDocument(existsSync(file) ? readFileSync(file, 'utf8') : '', head, sections, names))
}

function today(): string {
  return new Date(systemClock.wallMs()).toISOString().slice(0, 10)
}
