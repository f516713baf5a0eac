import { benchPilot } from './pilot/main.ts'
import { benchProxy } from './proxy/main.ts'

/** Every bench by name. `npm run bench` runs them all, `npm run bench -- proxy` one. */
const BENCHES: Record<string, () => Promise<void>> = {
  proxy: benchProxy,
  pilot: benchPilot,
}

const wanted = process.argv.slice(2)
for (const name of wanted.length > 0 ? wanted : Object.keys(BENCHES)) {
  const bench = BENCHES[name]
  if (bench === undefined) throw new Error(`no bench ${name}: ${Object.keys(BENCHES).join(', ')}`)
  process.stdout.write(`== ${name} ==\n`)
  await bench()
  process.stdout.write('\n')
}
