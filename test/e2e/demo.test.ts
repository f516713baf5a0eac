import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeAll, expect, test } from '@jest/globals'
import { env } from '../../lib/env.ts'
import { builtCli } from './built.ts'
import { childrenOf, isRunning } from './processes.ts'

const PATIENCE_MS = Number(env('LATEEN_TEST_PATIENCE_MS'))
const STORY_MS = 60_000
/** The pilot, the gateway, four sidecars and the apps. */
const FIRST_CHILDREN = 7

/** The demo as a process, with what it has printed. */
class Demo {
  readonly process: ChildProcess
  readonly exited: Promise<number | null>
  output = ''

  constructor(cli: string, args: readonly string[]) {
    this.process = spawn(process.execPath, [cli, 'demo', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    })
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    }
    this.exited = new Promise((resolve) => this.process.once('close', (code) => resolve(code)))
  }

  get pid(): number {
    return this.process.pid as number
  }

  async printed(text: string, withinMs: number): Promise<void> {
    await until(() => this.output.includes(text) || this.process.exitCode !== null, withinMs)
    expect(this.output).toContain(text)
  }

  /** The temporary folder that it works in. */
  get folder(): string {
    return dirname(/^config +(\S+)$/m.exec(this.output)?.[1] ?? '')
  }
}

function linesWith(text: string, output: string): string[] {
  return output.split('\n').filter((line) => line.includes(text))
}

async function until(isTrue: () => boolean, withinMs: number): Promise<void> {
  const deadlineMs = Date.now() + withinMs
  while (!isTrue() && Date.now() < deadlineMs) await pause(50)
}

let cli = ''
let demo: Demo | undefined

beforeAll(() => {
  cli = builtCli()
}, 60_000)

afterEach(() => {
  demo?.process.kill('SIGKILL')
})

test('a release on live load loses no request, and leaves nothing behind', async () => {
  demo = new Demo(cli, ['--once'])
  await demo.printed('5 of 7', STORY_MS)
  const children = childrenOf(demo.pid)
  const { folder } = demo
  const code = await demo.exited
  expect(linesWith('error: ', demo.output)).toEqual([])
  expect(linesWith('FAILED', demo.output)).toEqual([])
  expect(demo.output).toMatch(/7 of 7 steps passed: \d{4} requests, 0 errors; back on v1 in \d+ ms/)
  expect(code).toBe(0)

  expect(demo.output).toContain('its own sidecar has seen 0 requests')
  expect(demo.output).toMatch(/test users +v2 +100 % +100\.0 %/)
  expect(demo.output).toMatch(/others +v2 +0 % +0\.0 % +0 of \d{3}/)
  for (const asked of ['10', '50']) {
    const measured = new RegExp(`others +v2 +${asked} % +([0-9.]+) %`).exec(demo.output)?.[1]
    expect(Math.abs(Number(measured) - Number(asked))).toBeLessThan(12)
  }
  expect(demo.output).toMatch(/everyone +v2 +100 % +100\.0 %/)

  // The first ones, and those of v2.
  expect(children).toHaveLength(FIRST_CHILDREN + 2)
  expect(children.filter(isRunning)).toEqual([])
  expect(existsSync(folder)).toBe(false)
}, 90_000)

test('children end with a demo that is killed hard', async () => {
  demo = new Demo(cli, [])
  await demo.printed('Bookinfo is up', STORY_MS)
  const children = childrenOf(demo.pid)
  expect(children.length).toBeGreaterThanOrEqual(FIRST_CHILDREN)
  demo.process.kill('SIGKILL')
  await demo.exited
  await until(() => !children.some(isRunning), PATIENCE_MS)
  expect(children.filter(isRunning)).toEqual([])
  // Nobody was left to do it.
  rmSync(demo.folder, { recursive: true })
}, 90_000)

test('SIGTERM in the middle ends everything and removes the folder', async () => {
  demo = new Demo(cli, [])
  await demo.printed('1 of 7', STORY_MS)
  const children = childrenOf(demo.pid)
  const { folder } = demo
  expect(existsSync(folder)).toBe(true)
  demo.process.kill('SIGTERM')
  expect(await demo.exited).toBe(1)
  expect(demo.output).toContain('interrupted')
  expect(children.filter(isRunning)).toEqual([])
  expect(existsSync(folder)).toBe(false)
}, 90_000)

test('a child that dies is named, with the end of its log', async () => {
  demo = new Demo(cli, [])
  await demo.printed('Bookinfo is up', STORY_MS)
  const [pilot] = childrenOf(demo.pid).sort((a, b) => a - b)
  process.kill(pilot as number, 'SIGKILL')
  expect(await demo.exited).toBe(1)
  expect(demo.output).toContain('pilot was ended by SIGKILL; the end of its log:')
  expect(demo.output).toContain('pilot started')
  expect(existsSync(demo.folder)).toBe(false)
}, 90_000)
