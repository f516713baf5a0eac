import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { createAuthority, openMaterial, readMaterial } from './material.ts'
import { dropPrevious, rotationPhase, settleRotation, spreadNext, stepBack, switchIssuer } from './rotation.ts'

const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'))
let folder: string
let dir: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lateen-rotation-'))
  dir = join(folder, 'ca')
  openMaterial(dir, 'mesh', clock, silentLogger)
})
afterEach(() => rmSync(folder, { recursive: true }))

const spread = (from?: string) => spreadNext(dir, from, 'mesh', clock, silentLogger)
const material = () => readMaterial(dir, silentLogger)
const issuer = () => material().certificate.fingerprint256
const rootCount = () => material().rootList.length

test('the new root is trusted before its authority signs, and the old one until it is dropped', () => {
  const old = issuer()
  const [oldRoot] = material().rootList
  spread()
  expect([rotationPhase(dir), issuer(), rootCount()]).toEqual(['spreading', old, 2])
  expect(material().rootList[0]).toBe(oldRoot)
  switchIssuer(dir, silentLogger)
  expect([rotationPhase(dir), rootCount()]).toEqual(['switched', 2])
  expect(issuer()).not.toBe(old)
  expect(material().rootList[1]).toBe(oldRoot)
  dropPrevious(dir, silentLogger)
  expect([rotationPhase(dir), rootCount()]).toEqual(['steady', 1])
  expect(material().rootList[0]).not.toBe(oldRoot)
  expect(readdirSync(dir).sort()).toEqual(['ca-cert.pem', 'ca-key.pem', 'cert-chain.pem', 'root-cert.pem'])
})

test('each step can be gone back', () => {
  const old = issuer()
  spread()
  switchIssuer(dir, silentLogger)
  const later = issuer()
  stepBack(dir, silentLogger)
  expect([rotationPhase(dir), issuer(), rootCount()]).toEqual(['spreading', old, 2])
  switchIssuer(dir, silentLogger)
  expect(issuer()).toBe(later)
  stepBack(dir, silentLogger)
  stepBack(dir, silentLogger)
  expect([rotationPhase(dir), issuer(), rootCount()]).toEqual(['steady', old, 1])
})

test('an authority that is given takes the place, if it is one', () => {
  const given = join(folder, 'given')
  createAuthority(given, 'mesh', clock)
  spread(given)
  switchIssuer(dir, silentLogger)
  expect(issuer()).toBe(readMaterial(given, silentLogger).certificate.fingerprint256)
  dropPrevious(dir, silentLogger)
  expect(() => spread(folder)).toThrow('CA_INVALID')
  expect(rotationPhase(dir)).toBe('steady')
})

test('steps are taken in their order', () => {
  expect(() => switchIssuer(dir, silentLogger)).toThrow('CA_ROTATION')
  expect(() => dropPrevious(dir, silentLogger)).toThrow('CA_ROTATION')
  expect(() => stepBack(dir, silentLogger)).toThrow('CA_ROTATION')
  spread()
  expect(() => spread()).toThrow('CA_ROTATION')
  expect(() => dropPrevious(dir, silentLogger)).toThrow('CA_ROTATION')
})

test('a switch that was interrupted anywhere is finished', () => {
  spread()
  const before = join(folder, 'before')
  cpSync(dir, before, { recursive: true })
  switchIssuer(dir, silentLogger)
  const [after, roots] = [issuer(), material().roots]
  const done = join(folder, 'done')
  cpSync(dir, done, { recursive: true })
  // As it stands after each thing that a switch does, one more each time.
  const acts: (() => void)[] = [
    () => renameSync(join(dir, 'next'), join(dir, 'switching-forward')),
    () => cpSync(join(done, 'previous'), join(dir, 'previous'), { recursive: true }),
    ...['ca-key.pem', 'ca-cert.pem', 'cert-chain.pem'].map((file) => () => cpSync(join(done, file), join(dir, file))),
    () => cpSync(join(dir, 'switching-forward/root-cert.pem'), join(dir, 'root-cert.pem')),
    () => cpSync(join(done, 'root-cert.pem'), join(dir, 'root-cert.pem')),
  ]
  for (let done = 1; done <= acts.length; done++) {
    rmSync(dir, { recursive: true })
    cpSync(before, dir, { recursive: true })
    for (const act of acts.slice(0, done)) act()
    settleRotation(dir, silentLogger)
    expect([rotationPhase(dir), issuer(), material().roots]).toEqual(['switched', after, roots])
    expect(existsSync(join(dir, 'switching-forward'))).toBe(false)
  }
})

test('keys are nobody else’s to read, wherever they are', () => {
  spread()
  switchIssuer(dir, silentLogger)
  for (const file of ['ca-key.pem', 'previous/ca-key.pem']) expect(statSync(join(dir, file)).mode & 0o077).toBe(0)
  expect(statSync(join(dir, 'previous')).mode & 0o077).toBe(0)
  expect(readFileSync(join(dir, 'previous/root-cert.pem'), 'utf8').match(/BEGIN/g)).toHaveLength(1)
})
