import { benchPilot } from './pilot/main.ts'
import { benchProxy } from './proxy/main.ts'
import { benchSoak } from './soak/main.ts'

/** Every bench by name: `npm run bench -- proxy` runs one. Without a name all run, but for the soak, which takes minutes. */
const BENCHES: Record<string, () => Promise<void>> = {
  proxy: benchProxy,
  pilot: benchPilot,
  soak: benchSoak,
}

const wanted = process.argv.slice(2)
for (const name of wanted.length > 0 ? wanted : Object.keys(BENCHES).filter((name) => name !== 'soak')) {
  const bench = BENCHES[name]
  if (bench === undefined) throw new Error(`no bench ${name}: ${Object.keys(BENCHES).join(', ')}`)
  process.stdout.write(`== ${name} ==\n`)
  await bench()
  process.stdout.write('\n')
}
