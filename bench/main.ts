import { benchDataPath } from './data-path/main.ts'
import { benchPilot } from './pilot/main.ts'

/** Every bench by name. `npm run bench` runs them all; `npm run bench -- proxy h1 --write` one, with what it is told. */
const BENCHES: Record<string, (args: readonly string[]) => Promise<void>> = {
  proxy: benchDataPath,
  pilot: benchPilot,
}

const [wanted, ...args] = process.argv.slice(2)
for (const name of wanted === undefined ? Object.keys(BENCHES) : [wanted]) {
  const bench = BENCHES[name]
  if (bench === undefined) throw new Error(`no bench ${name}: ${Object.keys(BENCHES).join(', ')}`)
  process.stdout.write(`== ${name} ==\n`)
  await bench(args)
  process.stdout.write('\n')
}
