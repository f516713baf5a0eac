import { realpathSync } from 'node:fs'
import type { Command } from 'commander'
import { systemClock } from '../../lib/clock.ts'
import type { CliCommand } from '../command.ts'
import { type Endpoint, parseEndpoint } from '../demo/addresses.ts'
import { BookinfoMesh } from '../demo/bookinfo-mesh.ts'
import { interruption } from '../demo/interruption.ts'
import {
  callsText,
  hasPassed,
  introText,
  resultText,
  stayText,
  stepText,
  summaryText,
  writtenText,
} from '../demo/report.ts'
import { SampleFiles } from '../demo/sample-files.ts'
import { tellStory } from '../demo/story.ts'
import { tryCalls } from '../demo/who-may-call.ts'
import { CliError, EXIT } from '../exit.ts'

interface DemoFlags {
  once?: true
  zipkin?: Endpoint
}

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('demo')
      .description('run Bookinfo in a mesh on this machine, and release a new version of one service under load')
      .option('--once', 'end after the release; exit 1 when a step of it failed')
      .option('--zipkin <host:port>', 'tell this Zipkin of every call', parseEndpoint)
      .action(run)
  },
}

async function run(flags: DemoFlags): Promise<void> {
  const startedMs = systemClock.nowMs()
  const sinceStartMs = () => systemClock.nowMs() - startedMs
  const entry = realpathSync(process.argv[1] as string)
  const interrupted = interruption()
  const mesh = await BookinfoMesh.prepare(entry, new SampleFiles(entry), flags.zipkin)
  // However this process ends, as long as it can still do anything.
  process.on('exit', () => mesh.kill())
  const orFailure = <T>(done: Promise<T>): Promise<T | 'interrupted'> =>
    Promise.race([done, mesh.failed, interrupted.then(() => 'interrupted' as const)])
  try {
    if ((await orFailure(mesh.start())) === 'interrupted') throw new CliError('interrupted', EXIT.internal)
    console.log(introText(mesh, sinceStartMs()).trimEnd())
    const calls = await orFailure(tryCalls(mesh))
    if (calls === 'interrupted') throw new CliError('interrupted', EXIT.internal)
    console.log(callsText(calls))
    const results = await orFailure(
      tellStory(mesh, {
        onStep: (step, number) => console.log(stepText(step, number)),
        onWritten: (step, text) => console.log(writtenText(step, text)),
        onResult: (result) => console.log(resultText(result)),
      }),
    )
    if (results === 'interrupted') throw new CliError('interrupted', EXIT.internal)
    console.log(summaryText(results, sinceStartMs()))
    const isAsExpected = calls.every((call) => call.isAsExpected)
    process.exitCode = isAsExpected && hasPassed(results) ? EXIT.ok : EXIT.internal
    if (flags.once) return
    console.log(stayText(mesh))
    await Promise.race([mesh.failed, interrupted])
  } finally {
    await mesh.stop()
  }
}
