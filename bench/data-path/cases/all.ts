import type { Case } from '../case.ts'
import { bodies, connect, h1, h1Twice, routes1000, tlsIn, tlsUp } from './http1.ts'
import { grpcTwice, h2 } from './http2.ts'
import { latency } from './latency.ts'
import { memory } from './memory.ts'
import { tlsConnect, tlsResume } from './tls.ts'

/** In the order in which they run and are written down. */
export const CASES: readonly Case[] = [
  h1,
  tlsUp,
  tlsIn,
  h2,
  grpcTwice,
  h1Twice,
  routes1000,
  bodies,
  connect,
  tlsConnect,
  tlsResume,
  latency,
  memory,
]
