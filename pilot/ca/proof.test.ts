import { expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { LeafLedger } from './leaf-ledger.ts'
import { backBlockers, blockers, type RotationFacts } from './proof.ts'

const clock = new ManualClock(1_000_000)
const HOUR_MS = 3_600_000

function facts(more: Partial<RotationFacts>): RotationFacts {
  const none = { phase: 'switched', issuer: 'new', proxies: [], leaves: [], unseenEnds: new Map() } as const
  return { ...none, nowMs: clock.wallMs(), ...more }
}

test('the new authority signs when every proxy has accepted its root', () => {
  const proxies = [
    { node: 'a', roots: 'accepted' },
    { node: 'b', roots: 'not asked' },
  ] as const
  expect(blockers(facts({ phase: 'spreading', proxies }))).toEqual([])
  const some = [...proxies, { node: 'c', roots: 'waiting' }, { node: 'd', roots: 'refused' }] as const
  expect(blockers(facts({ phase: 'spreading', proxies: some }))).toEqual([
    'c has not answered to the roots that it was sent',
    'd has refused the roots that it was sent',
  ])
})

test('the old root goes when nobody has a certificate of its authority', () => {
  const ledger = new LeafLedger(clock)
  const leaf = (node: string, issuer: string, identity = 'spiffe://a') =>
    ledger.add({ identity, node, issuer, endMs: clock.wallMs() + HOUR_MS })
  const reasons = () => blockers(facts({ leaves: ledger.current(), unseenEnds: ledger.unseenEnds }))
  leaf('a', 'old')
  leaf('b', 'old')
  // Which of those that share an identity asked is not known.
  leaf('', 'old', 'spiffe://c')
  expect(reasons()).toHaveLength(3)
  leaf('a', 'new')
  leaf('', 'new', 'spiffe://c')
  expect(reasons()).toEqual([
    'b has a certificate of another authority until 1970-01-01T01:16:40.000Z',
    'spiffe://c has a certificate of another authority until 1970-01-01T01:16:40.000Z',
  ])
  clock.advance(HOUR_MS)
  expect(reasons()).toEqual([])
})

test('what was given before the pilot began counts until it ends', () => {
  const endMs = clock.wallMs() + HOUR_MS
  const ledger = new LeafLedger(clock, new Map([['old', endMs]]))
  ledger.add({ identity: 'spiffe://a', node: 'a', issuer: 'new', endMs })
  const reasons = () => blockers(facts({ leaves: ledger.current(), unseenEnds: ledger.unseenEnds }))
  expect(reasons()).toEqual([expect.stringContaining('that this pilot does not know of')])
  clock.advance(HOUR_MS)
  expect(reasons()).toEqual([])
})

test('a proxy of the same identity takes nobody else’s place', () => {
  const ledger = new LeafLedger(clock)
  const endMs = clock.wallMs() + HOUR_MS
  ledger.add({ identity: 'spiffe://a', node: 'a-1', issuer: 'old', endMs })
  ledger.add({ identity: 'spiffe://a', node: 'a-2', issuer: 'new', endMs })
  ledger.add({ identity: 'spiffe://b', node: 'a-1', issuer: 'new', endMs })
  expect(blockers(facts({ leaves: ledger.current() }))).toHaveLength(1)
})

test('back from the spreading only when nobody has a certificate of what was switched to and back from', () => {
  const leaves = [{ identity: 'spiffe://a', node: 'a', issuer: 'new', endMs: clock.wallMs() + HOUR_MS }]
  expect(backBlockers(facts({ phase: 'spreading', issuer: 'old', leaves }))).toHaveLength(1)
  expect(backBlockers(facts({ phase: 'spreading', issuer: 'new', leaves }))).toEqual([])
  expect(backBlockers(facts({ phase: 'switched', issuer: 'other', leaves }))).toEqual([])
})
