import { Simulation } from '../../cli/simulate/mesh/simulation.ts'
import { reportOf } from '../../cli/simulate/report/collect.ts'
import type { ServiceReport, SimulationReport } from '../../cli/simulate/report/report.ts'
import { readScenario } from '../../cli/simulate/scenario/load.ts'

/** Runs a scenario that is given as text; paths in it are relative to the working directory. */
export async function simulate(text: string, seed?: number, file = 'scenario.yaml'): Promise<SimulationReport> {
  const model = await readScenario(file, text)
  const simulation = new Simulation(model, seed ?? model.seed)
  simulation.run()
  if (simulation.bugs > 0) throw new Error(`${simulation.bugs} bugs were met`)
  return reportOf(simulation, seed ?? model.seed)
}

export function serviceOf(report: SimulationReport, name: string): ServiceReport {
  const found = report.services.find((service) => service.name === name)
  if (found === undefined) throw new Error(`no service ${name} in the report`)
  return found
}

/** Objects of Istio's networking group, as items of a list under a key that is indented by nothing. */
export function istioItem(kind: string, name: string, spec: object): string {
  return `  - ${JSON.stringify({ apiVersion: 'networking.istio.io/v1', kind, metadata: { name }, spec })}\n`
}
