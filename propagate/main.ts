import { syncBuiltinESMExports } from 'node:module'
import { env } from '../lib/env.ts'
import { patchServers } from './inbound.ts'
import { carriedNames } from './names.ts'
import { patchClients } from './outbound.ts'

/** `node --import lateen/propagate`: once a process, however often it is named. */
const LOADED = Symbol.for('lateen.propagate')
const scope = globalThis as { [LOADED]?: true }
if (scope[LOADED] === undefined) {
  scope[LOADED] = true
  patchServers(carriedNames(env('LATEEN_PROPAGATE_HEADERS')))
  patchClients()
  // Who imports node's modules by `import { request } from 'node:http'` gets the patched ones, too.
  syncBuiltinESMExports()
}
