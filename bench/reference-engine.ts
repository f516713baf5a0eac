import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { compileStatic, parseBootstrap } from '../proxy/agent/bootstrap.ts'
import { EMPTY_PLAN } from '../proxy/plan/plan.ts'
import { ReferenceEngine } from '../proxy/reference/engine.ts'

/** `node dist/bench/reference-engine.js -c FILE` serves the first listener of an Envoy bootstrap with http-proxy. */

const { config: file } = parseArgs({ options: { config: { type: 'string', short: 'c' } } }).values
if (file === undefined) throw new Error('name an Envoy bootstrap file: -c FILE')
const fixed = compileStatic(parseBootstrap(readFileSync(file, 'utf8'), file), file)
const [listener] = fixed.listeners.values()
if (listener === undefined) throw new Error(`${file} has no listener`)
const engine = new ReferenceEngine({ ...EMPTY_PLAN, ...fixed, version: 1 }, listener)
const port = await engine.listen(listener.port, listener.address)
process.stdout.write(`listening on ${listener.address}:${port}\n`)
process.once('SIGTERM', () => process.exit(0))
