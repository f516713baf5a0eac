import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { Finding } from '../../../config/finding.ts'
import { DirectorySource } from '../../../config/sources/directory.ts'
import { systemClock } from '../../../lib/clock.ts'
import { randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import type { Agent } from '../../../proxy/agent/agent.ts'
import type { LocalPlane } from '../../../proxy/agent/planes.ts'
import { COUNT } from '../../../proxy/upstream/breaker-counts.ts'
import { EchoServer } from '../../support/echo-server.ts'
import { eventually } from '../../support/eventually.ts'
import { HttpLoad, type LoadCounts } from '../../support/http-load.ts'
import { canConnect, loopbackBlock, Mesh, type Workload } from '../../support/mesh.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { EDITS_PATH, Editor, type Places, PORT } from './edits.ts'

/** Whatever happens to the configuration or to the pilot, no request is lost. */

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
/** Ten thousand, with LATEEN_TEST_LONG, take a minute and more. */
const EDITS = process.env.LATEEN_TEST_LONG ? 10_000 : 2_000
/** After so many the next generation is waited for: on a machine that has no time all edits would become a few. */
const EDITS_AT_ONCE = 25
const PATHS = ['/', '/a', '/b/12', '/c/d/e']

let dir: string
let places: Places
let editor: Editor
let source: DirectorySource
let mesh: Mesh
let proxy: Agent
let servers: EchoServer[]

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lateen-robustness-'))
  const block = loopbackBlock()
  const hosts = (first: number) => Array.from({ length: 3 }, (_, i) => `${block}.${first + i}`)
  places = { client: `${block}.10`, v1: hosts(21), v2: hosts(31) }
  servers = []
  for (const ip of [...places.v1, ...places.v2]) {
    const server = new EchoServer(ip)
    servers.push(server)
    await server.listen(PORT, ip)
  }
  editor = new Editor(dir, seededRandom(seed), places)
  source = await DirectorySource.open([dir], { clock: systemClock, debounceMs: 10 })
  mesh = new Mesh(source)
  await mesh.start()
  const workload: Workload = { type: 'sidecar', name: 'client', ip: places.client, labels: { app: 'client' } }
  proxy = await mesh.addProxy(workload)
  await eventually(() => canConnect(places.client, PORT))
})

afterEach(async () => {
  await mesh.stop()
  source.close()
  for (const server of servers) server.close()
  rmSync(dir, { recursive: true })
})

/** Sends requests for as long as `during` takes, and looks that all were answered by a host. */
async function underLoad(during: () => Promise<void>): Promise<LoadCounts> {
  const load = new HttpLoad(places.client, PORT)
  const counts: LoadCounts = { byServer: {}, errors: [] }
  let isOver = false
  let sent = 0
  const sender = async () => {
    while (!isOver) await load.one({ host: 'echo', path: PATHS[sent++ % PATHS.length] as string }, counts)
  }
  const senders = Array.from({ length: 4 }, sender)
  try {
    await during()
  } finally {
    isOver = true
    await Promise.all(senders)
    load.close()
  }
  expect(counts.errors).toEqual([])
  expect(Object.values(counts.byServer).reduce((sum, n) => sum + n, 0)).toBe(sent)
  return counts
}

async function editsSeen(): Promise<number> {
  const request = `GET ${EDITS_PATH} HTTP/1.1\r\nHost: echo\r\nConnection: close\r\n\r\n`
  return Number((await sendRaw(places.client, PORT, request)).body)
}

function errorsOf(file: string): Finding[] {
  return mesh.pilot.findings().filter((finding) => finding.file === file && finding.severity === 'error')
}

/** Nothing is held for requests that are over. */
function expectNothingHeld(): void {
  const { plane } = proxy.planes as LocalPlane
  for (const cluster of plane.clusters.values()) {
    const held = Object.values(COUNT).map((kind) => (kind === COUNT.connections ? 0 : cluster.total(kind)))
    expect({ cluster: cluster.plan.name, held }).toEqual({ cluster: cluster.plan.name, held: [0, 0, 0, 0] })
  }
}

test(`${EDITS} random edits under load lose no request (seed ${seed})`, async () => {
  const random = seededRandom(seed + 1)
  const { publisher } = mesh.pilot
  const before = publisher.generation
  await underLoad(async () => {
    for (let i = 0; i < EDITS; i++) {
      editor.edit()
      if (i % EDITS_AT_ONCE === 0) {
        const { generation } = publisher
        editor.finish()
        await eventually(() => expect(publisher.generation).toBeGreaterThan(generation))
      } else if (randomInt(random, 8) === 0) await pause(randomInt(random, 20))
    }
    const last = editor.finish()
    await eventually(async () => expect(await editsSeen()).toBe(last))
  })
  expect(publisher.generation - before).toBeGreaterThanOrEqual(EDITS / EDITS_AT_ONCE)
  expectNothingHeld()
}, 300_000)

test('a file that is broken is named with its line, and the last good version stays', async () => {
  const before = await editsSeen()
  const file = join(dir, 'rules.yaml')
  const good = readFileSync(file, 'utf8')
  await underLoad(async () => {
    const breaks = [
      { text: good.replace('kind: VirtualService', 'kind: VirtualService\n  oops: ['), says: /oops|flow|indent/i },
      { text: good.replace('spec:', 'spec:\n  nothing: 1'), says: /nothing/ },
      { text: good.replace(/subset: \S+/, 'subset: 17'), says: /subset/ },
    ]
    for (const { text, says } of breaks) {
      writeFileSync(file, text)
      await eventually(() => {
        const errors = errorsOf(file)
        expect(errors.map((finding) => finding.message).join('\n')).toMatch(says)
        expect(errors.every((finding) => finding.line > 1)).toBe(true)
      })
      expect(await editsSeen()).toBe(before)
    }
    // Others go on: an edit of another file is taken while this one is broken.
    const generation = mesh.pilot.publisher.generation
    writeFileSync(
      join(dir, 'neighbours.yaml'),
      readFileSync(join(dir, 'services.yaml'), 'utf8').replaceAll('echo', 'new'),
    )
    await eventually(() => expect(mesh.pilot.publisher.generation).toBeGreaterThan(generation))
    writeFileSync(file, good)
    await eventually(() => expect(errorsOf(file)).toEqual([]))
    const last = editor.finish()
    await eventually(async () => expect(await editsSeen()).toBe(last))
  })
  expectNothingHeld()
}, 60_000)

test('traffic goes on without a pilot, and its successor is followed', async () => {
  await underLoad(async () => {
    await mesh.stopPilot()
    const missed = editor.finish()
    await pause(500)
    expect(await editsSeen()).toBeLessThan(missed)
    await mesh.restartPilot()
    await eventually(async () => expect(await editsSeen()).toBe(missed), 30_000)
    const last = editor.finish()
    await eventually(async () => expect(await editsSeen()).toBe(last))
  })
  expectNothingHeld()
}, 60_000)
