import { type Command, InvalidArgumentError } from 'commander'
import { systemClock } from '../../lib/clock.ts'
import type { CliCommand } from '../command.ts'
import { EXIT } from '../exit.ts'
import { Simulation } from '../simulate/mesh/simulation.ts'
import { reportOf } from '../simulate/report/collect.ts'
import type { SimulationReport } from '../simulate/report/report.ts'
import { formatReport } from '../simulate/report/text.ts'
import { loadScenario } from '../simulate/scenario/load.ts'

interface SimulateFlags {
  seed?: number
  json?: true
}

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('simulate')
      .description('run a scenario of load and failures through pilot and proxies, on a clock of its own')
      .argument('<file>', 'the scenario')
      .option('--seed <n>', "the dice, in the place of the scenario's", parseSeed)
      .option('--json', 'print the report as JSON')
      .action(run)
  },
}

function parseSeed(text: string): number {
  const seed = Number(text)
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff)
    throw new InvalidArgumentError('must be a whole number of 32 bits')
  return seed
}

async function run(file: string, flags: SimulateFlags): Promise<void> {
  const model = await loadScenario(file)
  const seed = flags.seed ?? model.seed
  const beganMs = systemClock.nowMs()
  const simulation = new Simulation(model, seed)
  simulation.run()
  const report = reportOf(simulation, seed)
  for (const note of simulation.notes) console.error(`note: ${note}`)
  process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report))
  console.error(speedText(report, simulation.proxyCount, (systemClock.nowMs() - beganMs) / 1000))
  if (simulation.bugs > 0) console.error(`${simulation.bugs} errors of the simulation itself were met: see above`)
  if (simulation.bugs > 0) process.exitCode = EXIT.internal
  else if (report.expectations.some(({ met }) => !met)) process.exitCode = EXIT.expectation
}

/** Beside the report, which is the same on every machine. */
function speedText({ services }: SimulationReport, proxies: number, tookS: number): string {
  const versions = services.flatMap((service) => service.versions)
  const requests = versions.reduce((sum, version) => sum + version.requests, 0)
  const endpoints = versions.reduce((sum, version) => sum + version.endpoints, 0)
  const speed = `${tookS.toFixed(1)}s, ${Math.round(requests / tookS)} a second`
  return `${requests} requests at ${endpoints} endpoints, by ${proxies} proxies: ${speed}`
}
