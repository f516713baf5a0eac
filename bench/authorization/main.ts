import type { Call } from '../../proxy/decide/call.ts'
import { connectionFacts } from '../../proxy/decide/connection-facts.ts'
import { newDecision, resetDecision } from '../../proxy/decide/decision.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../proxy/decide/surroundings.ts'
import type { RbacConfig } from '../../proxy/filters/http/rbac/config.ts'
import { rbac } from '../../proxy/filters/http/rbac/filter.ts'
import { headOf, peerFacts } from '../../proxy/filters/rbac/testing.ts'
import { compiled, KINDS } from './rules.ts'

/** What one authorization costs with few rules and with many. */

const FEW = 10
const MANY = 1000
/** What many may cost of what few do. */
const MAX_RATIO = 1.5
const ROUNDS = 11
const JUDGEMENTS = 50_000

/** Calls that meet rules at the beginning, in the middle and at the end, and some that meet none. */
function callsFor(count: number): Call[] {
  const numbers = [0, Math.floor(count / 3), Math.floor(count / 2), count - 1, count + 1, count + 2]
  return numbers.map((i) => ({
    head: headOf({
      path: `/api/service-${i}/items?page=2`,
      host: `service-${i}.shop`,
      headers: [
        ['user-agent', 'curl/8'],
        ['accept', '*/*'],
        ['x-user', `user-${i}`],
      ],
    }),
    facts: connectionFacts({
      directSourceAddress: '10.1.2.3',
      sourceAddress: '10.1.2.3',
      destinationPort: 8080,
      tls: peerFacts([`spiffe://cluster.local/ns/ns-${i}/sa/app-${i}`]),
    }),
    random: { next: () => 0 },
    randomValue: 0,
    wallMs: () => 0,
    around: SYMBOLIC_SURROUNDINGS,
    addRequestId: () => {},
  }))
}

/** Nanoseconds of one judgement. */
function measure(config: RbacConfig, calls: readonly Call[]): number {
  const decision = newDecision()
  const start = process.hrtime.bigint()
  for (let i = 0; i < JUDGEMENTS; i++) {
    resetDecision(decision)
    rbac.judge(config, calls[i % calls.length] as Call, decision)
  }
  return Number(process.hrtime.bigint() - start) / JUDGEMENTS
}

export async function benchAuthorization(): Promise<void> {
  let worst = 0
  for (const kind of KINDS) {
    const [few, many] = [compiled(kind, FEW), compiled(kind, MANY)]
    const [fewCalls, manyCalls] = [callsFor(FEW), callsFor(MANY)]
    const walked = {
      ...many,
      rules: many.rules && { ...many.rules, engine: { ...many.rules.engine, index: undefined } },
    }
    measure(few, fewCalls)
    measure(many, manyCalls)
    const rounds = Array.from({ length: ROUNDS }, (_, round) => {
      // Every other round backwards.
      const first = round % 2 === 0 ? measure(few, fewCalls) : 0
      const ofMany = measure(many, manyCalls)
      const ofFew = first || measure(few, fewCalls)
      return { ofFew, ofMany, ratio: ofMany / ofFew }
    })
    const ratio = median(rounds.map((one) => one.ratio))
    worst = Math.max(worst, ratio)
    const figures = [
      `${FEW} rules ${median(rounds.map((one) => one.ofFew)).toFixed(0)} ns`,
      `${MANY} rules ${median(rounds.map((one) => one.ofMany)).toFixed(0)} ns`,
      `ratio ${ratio.toFixed(2)}`,
      `(a walk over ${MANY}: ${walkCost(walked, manyCalls).toFixed(0)} ns)`,
    ]
    process.stdout.write(`${kind.name.padEnd(22)}${figures.join('   ')}\n`)
  }
  process.stdout.write(`worst ratio ${MANY}/${FEW}: ${worst.toFixed(2)}, at most ${MAX_RATIO} is meant\n`)
}

function walkCost(config: RbacConfig, calls: readonly Call[]): number {
  const decision = newDecision()
  const judgements = 2_000
  const start = process.hrtime.bigint()
  for (let i = 0; i < judgements; i++) {
    resetDecision(decision)
    rbac.judge(config, calls[i % calls.length] as Call, decision)
  }
  return Number(process.hrtime.bigint() - start) / judgements
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
}
