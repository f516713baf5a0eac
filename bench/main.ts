import { benchAuthorization } from './authorization/main.ts'
import { benchDataPath } from './data-path/main.ts'
import { benchMixer } from './mixer/main.ts'
import { benchPilot } from './pilot/main.ts'
import { benchSoak } from './soak/main.ts'
import { benchTelemetry } from './telemetry/main.ts'

/**
 * Every bench by name: `npm run bench -- proxy h1 --write` runs one, with what it is told. Without a name all run, but for the
 * soak, which takes minutes.
 */
const BENCHES: Record<string, (args: readonly string[]) => Promise<void>> = {
  proxy: benchDataPath,
  pilot: benchPilot,
  authorization: benchAuthorization,
  mixer: benchMixer,
  telemetry: benchTelemetry,
  soak: benchSoak,
}

const [wanted, ...args] = process.argv.slice(2)
for (const name of wanted === undefined ? Object.keys(BENCHES).filter((one) => one !== 'soak') : [wanted]) {
  const bench = BENCHES[name]
  if (bench === undefined) throw new Error(`no bench ${name}: ${Object.keys(BENCHES).join(', ')}`)
  process.stdout.write(`== ${name} ==\n`)
  await bench(args)
  process.stdout.write('\n')
}
