import { syncBuiltinESMExports } from 'node:module'
import { installHttp1 } from './http1.ts'
import { installHttp2 } from './http2.ts'
import { installInbound } from './inbound.ts'
import { installPackages } from './packages.ts'
import { installUndici } from './undici.ts'

/*
 * node --import lateen/propagate app.js
 *
 * Hands headers of traces and the deadline on from each call that an application answers to the calls that it makes meanwhile.
 * It runs inside of other people's programs: it prints nothing, throws nothing and keeps nothing.
 */

/** Once for all copies of this file in a thread. */
const INSTALLED = Symbol.for('lateen.propagate')

if (!(INSTALLED in globalThis)) {
  Object.defineProperty(globalThis, INSTALLED, { value: true })
  installInbound()
  installHttp1()
  installHttp2()
  installUndici()
  installPackages()
  // Named imports of ES modules are copies.
  syncBuiltinESMExports()
}
